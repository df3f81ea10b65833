/**
 * A server's power, cables and saved state, with a real QEMU in real namespaces. Nothing in it has to boot for that: what is
 * claimed is asked of QEMU, of the kernel's switches and of the process table.
 */
import { access, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildGuest, ensureQemu } from "@godwit/lab";
import { QmpSession } from "@godwit/qmp";
import { run } from "@godwit/system";
import { expect, test } from "vitest";
import { overlay } from "../src/base.ts";
import { rackFolder } from "../src/names.ts";
import { makeNetworks, namespaceOf, networksExist, processesIn } from "../src/networks.ts";
import { writeRackFile, type RackFile } from "../src/rack-file.ts";
import { removeRack } from "../src/rack.ts";
import { Server } from "../src/server.ts";

const id = "test";
const silent = (): void => undefined;

test(
  "a server is switched on, saved, started from its state, cut off and removed",
  { timeout: 300_000 },
  async () => {
    const qemu = await ensureQemu(silent);
    const { kernel, initrd } = await buildGuest(silent);
    await removeRack(id);
    const cache = await mkdtemp(join(tmpdir(), "godwit-rack-"));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rm(cache, { recursive: true, force: true }));
    stack.defer(() => removeRack(id));
    const spec = {
      name: "a",
      number: 11,
      suite: "bookworm",
      memoryMib: 128,
      cpu: "EPYC",
      dataGib: 1,
    } as const;
    const file: RackFile = {
      version: 1,
      id,
      qemu: qemu.binary,
      nice: 0,
      servers: [{ spec, boot: { kernel, initrd }, process: null }],
    };
    const [record] = file.servers;
    if (record === undefined) throw new TypeError("it has a server");
    const server = new Server({ file, save: () => writeRackFile(file) }, record);
    await mkdir(server.folder, { recursive: true });
    await makeNetworks(id);
    const words = { what: "making a disk" };
    await run("truncate", ["-s", "64M", join(cache, "base.raw")], words);
    await run("truncate", ["-s", "1G", server.files.data], words);
    await overlay(join(cache, "base.raw"), server.files.disk);

    await server.powerOn();
    expect(await server.isOn()).toBe(true);
    expect(await processesIn(id)).toEqual([record.process]);
    expect(await cableIsPlugged(server)).toBe(true);

    // Saved, it is off, and what is there is all that another one needs.
    const folder = join(cache, "saved");
    const state = { folder, disk: join(folder, "disk.qcow2"), memory: join(folder, "memory") };
    await server.save(state);
    expect(await server.isOn()).toBe(false);
    expect(await processesIn(id)).toEqual([]);
    await rm(server.files.disk);
    await overlay(state.disk, server.files.disk);
    await server.powerOn(state);
    expect(await statusOf(server)).toBe("running");

    await server.setFrozen(true);
    expect(await statusOf(server)).toBe("paused");
    await server.setFrozen(false);
    await server.reset();
    expect(await statusOf(server)).toBe("running");

    // The cable is seen by the server, so by QEMU; a broken wire only by the switch.
    await server.setCable("migration", false);
    await server.setCable("migration", true);
    await server.setSending("migration", false);
    expect(await filters()).toContain('iifname "mig11" drop');
    await server.setSending("migration", true);
    expect(await filters()).toBe("");

    await server.powerOff();
    expect(await processesIn(id)).toEqual([]);
    await removeRack(id);
    expect(await networksExist(id)).toBe(false);
    await expect(access(rackFolder(id))).rejects.toThrow("ENOENT");
  },
);

async function statusOf(server: Server): Promise<string> {
  const qmp = await QmpSession.connect(server.files.qmp);
  try {
    return (await qmp.execute("query-status")).status;
  } finally {
    qmp.close();
  }
}

/** Of the management network, as the rack's switch has it. */
async function cableIsPlugged(server: Server): Promise<boolean> {
  const tap = `man${String(server.spec.number)}`;
  const { stdout } = await run("ip", ["-n", namespaceOf(id), "link", "show", "master", "management"], {
    what: "looking at the switch",
  });
  return stdout.includes(`${tap}:`);
}

async function filters(): Promise<string> {
  const argv = ["netns", "exec", namespaceOf(id), "nft", "list", "ruleset"];
  return (await run("ip", argv, { what: "looking at the switches" })).stdout;
}
