/**
 * A VM together with its disks, between two hosts that share no storage: Godwit against `virsh migrate --copy-storage-all`, with and without TLS,
 * which Godwit always uses. The same guest on the same QEMU and links, in turn, each move under a client's load. Figures are of this machine
 * and this hour; the ratios are what to look at.
 */
import { open, mkdir, writeFile } from "node:fs/promises";
import { randomFillSync } from "node:crypto";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { TestLab } from "@godwit/test-kit";
import { run, until } from "@godwit/system";
import { measure } from "./measure/interruption.ts";
import { comparisonOf, comparisonText } from "./peer/comparison.ts";
import { godwit, Twin } from "./peer/contenders.ts";
import { LibvirtPeer } from "./peer/libvirt-peer.ts";
import { OwnDisks } from "./peer/own-disks.ts";
import { peerQemus, requireLibvirt } from "./peer/packages.ts";
import { inTurn } from "./peer/turns.ts";
import { numberOf, readOptions } from "../scripts/options.ts";

const usage = `usage: node bench/peer-disks.ts [--moves 6] [--memory 256] [--disk 1024] [--json FILE]

  --moves N      how many moves of each
  --memory MIB   of the guest
  --disk MIB     of its second disk, which is full of random data
  --json FILE    the figures, for other programs`;

const values = readOptions(usage, {
  moves: { type: "string", default: "6" },
  memory: { type: "string", default: "256" },
  disk: { type: "string", default: "1024" },
  json: { type: "string" },
});
const moves = numberOf(usage, "--moves", values.moves);
const memoryMib = numberOf(usage, "--memory", values.memory, 16);
const diskMib = numberOf(usage, "--disk", values.disk, 1);
const hosts = ["a", "b"] as const;
const say = (text: string) => {
  console.error(text);
};

await measure(async (interrupted) => {
  await requireLibvirt();
  say("making a lab of two hosts that share no storage");
  await using lab = await TestLab.start({ hosts, qemu: peerQemus });
  await Promise.race([compare(lab), interrupted]);
});

async function compare(lab: TestLab): Promise<void> {
  const store = (host: string) => `local-${host}`;
  const folder = (host: string) => join(lab.lab.host(host).folder, "volumes/local");
  for (const host of hosts) {
    await mkdir(folder(host), { recursive: true });
    await lab.lab.host(host).configure({ datastoreFolders: [dirname(folder(host))] });
    await lab.lab.host(host).endAgent();
    await lab.lab.host(host).startAgent();
  }
  const areUp = async () =>
    (await lab.api.call("hostList", {})).hosts.every(({ state }) => state === "connected");
  await until(areUp, { everyMs: 200, limitMs: 60_000 });
  for (const host of hosts) {
    const source = { kind: "directory" as const, path: folder(host) };
    await lab.api.call("datastoreAdd", { body: { name: store(host), shared: false, hosts: [host], source } });
    const params = { datastore: store(host) };
    await lab.api.call("datastoreInit", { params, body: { host, onRoot: true } });
  }
  say(`starting libvirt on both hosts, and the guests, each with a disk of ${String(diskMib)} MiB`);
  const random = join(folder("a"), "big.raw");
  await fill(random);
  const peer = await LibvirtPeer.start(lab.lab);
  const disks = new OwnDisks(lab.lab, peer, join(lab.lab.folder, "big.raw"));
  await run("cp", [random, join(lab.lab.folder, "big.raw")], { what: "copying the content of a disk" });
  const vm = await lab.boot({
    ...{ on: "a", memoryMib, at: { datastore: store("a"), folder: folder("a") } },
    disks: [
      { name: "data", image: "guest/web-1-data.qcow2", take: true },
      { name: "big", image: "big.raw", format: "raw", take: true },
    ],
  });
  // The kernel that the guest is booted with lies beside its disks.
  await run("cp", ["-r", join(folder("a"), "guest"), folder("b")], { what: "copying the kernel" });
  const twin = await Twin.boot(lab, peer, vm, 1, disks);
  const contenders = [
    godwit(lab, vm, undefined, store),
    ...[false, true].map((tls) => twin.contender({ peerToPeer: true, tls, disks })),
  ];
  const samples = await inTurn(contenders, moves, say);
  const rows = contenders.map((contender) => comparisonOf(contender.name, samples.get(contender) ?? []));
  const setting = {
    ...{ date: new Date().toISOString().slice(0, 10), cpus: cpus().length, memoryMib, diskMib },
    libvirt: await peer.version(),
  };
  console.log(
    `libvirt ${setting.libvirt}, guest of ${String(memoryMib)} MiB with a disk of ${String(diskMib)} MiB, under load`,
  );
  console.log(comparisonText(rows));
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ setting, contenders: rows }, null, 2)}\n`);
}

/** Random data: neither zeros nor anything that compresses. */
async function fill(path: string): Promise<void> {
  await using file = await open(path, "w");
  const block = Buffer.alloc(2 ** 20);
  for (let written = 0; written < diskMib; written++) await file.write(randomFillSync(block));
}
