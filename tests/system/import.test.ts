/**
 * A VM leaves VMware: its folder with a blank in its name is copied to a datastore, one command makes an ordinary VM of it, and
 * its guest boots from the converted disk, and moves. Exported as an OVA it can leave again, or come back as another VM.
 */
import { globSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { VmView } from "@godwit/contract";
import { run, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

const program = [process.execPath, fileURLToPath(new URL("../../apps/cli/src/godwit.js", import.meta.url))];
const fixtures = fileURLToPath(new URL("../../packages/storage/test/fixtures/import", import.meta.url));
const said = "booted from the imported disk";
const saidBySecond = "booted from the second disk";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"] });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const godwit = async (...words: string[]) =>
  await run(program[0] ?? "", [...program.slice(1), ...words], {
    ...{ what: words.join(" "), timeoutMs: 120_000, okCodes: [0, 1, 2, 3] },
    env: { GODWIT_LAB: lab.lab.id },
  });

/** A boot sector that writes a line to the serial port and halts. */
function bootSector(line = said): Buffer {
  const sector = Buffer.alloc(512);
  // cli; ds = 0; si = text; dx = 0x3f8; until the text ends: out dx, [si++]; then halt for good
  sector.write("fa31c08ed8be167cbaf803ac84c07403eeebf8f4ebfd", 0, "hex");
  sector.write(`${line}\r\n\0`, 22, "latin1");
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** A guest tells nobody but its console. */
async function hasBooted({ id, name }: VmView, line = said): Promise<void> {
  const booted = async () => {
    const { host } = await lab.vm(name);
    const files = globSync(`hosts/${host}/run/**/${id}/serial.log`, { cwd: lab.lab.folder });
    const texts = await Promise.all(files.map((file) => readFile(join(lab.lab.folder, file), "latin1")));
    return texts.some((text) => text.includes(line)) ? true : null;
  };
  expect(await until(booted, { everyMs: 200, limitMs: 60_000 })).toBe(true);
}

test("a VMware VM is imported with its CPU mask and MAC addresses, boots, and moves", async () => {
  const name = "Web Server (old)";
  const folder = join(lab.lab.sharedFolder, name);
  await mkdir(folder);
  await writeFile(
    join(folder, `${name}.vmx`),
    await readFile(join(fixtures, "web.vmx"), "utf8").then((text) =>
      text.replace(/^(firmware|uefi).*\n/gm, "").replace('"4096"', '"64"'),
    ),
  );
  const disk = Buffer.alloc(8 * 1048576);
  bootSector().copy(disk);
  const second = Buffer.alloc(1048576);
  bootSector(saidBySecond).copy(second);
  for (const [file, content] of [
    [name, disk],
    [`${name}_1`, second],
  ] as const) {
    await writeFile(join(folder, `${file}-flat.vmdk`), content);
    const extent = `RW ${String(content.length / 512)} VMFS "${file}-flat.vmdk"`;
    await writeFile(
      join(folder, `${file}.vmdk`),
      ["# Disk DescriptorFile", "version=1", "CID=1", "parentCID=ffffffff", 'createType="vmfs"', extent].join(
        "\n",
      ),
    );
  }
  const source = `shared:${name}/${name}.vmx`;
  const unmapped = await godwit("vm", "import", source, "--json");
  expect(unmapped.exitCode).toBe(1);
  expect(unmapped.stderr).toContain("IMPORT_NETWORK_UNMAPPED");

  const network = ["--network", "office"];
  const told = await godwit("vm", "import", source, ...network, "--dry-run");
  expect(told.stdout).toMatch(/changed[^]*TPM → a new TPM/);
  expect(await readdir(lab.lab.sharedFolder)).not.toContain("web-server-old");

  const made = await godwit("vm", "import", source, ...network, "--host", "a", "--json");
  expect(JSON.parse(made.stdout)).toMatchObject({
    task: { kind: "vm.create", state: "succeeded" },
    report: { format: "vmx" },
  });
  const vm = await lab.vm("web-server-old");
  expect(vm).toMatchObject({
    state: "stopped",
    config: { nics: [{ mac: "00:50:56:9a:11:22" }, { mac: "00:50:56:00:00:07" }] },
  });
  expect(vm.config.cpuWish?.masks).toMatchObject({
    "cpuid.1.ecx": "----:----:----:---0:----:----:----:----",
  });

  const params = { vm: vm.name };
  await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
  await hasBooted(vm);
  await lab.succeeded(lab.api.call("vmMigrate", { params, body: { to: "b", maxOutageMs: 2000 } }));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
});

test("the VM is exported as an OVA, and imported from it as another one, which boots", async () => {
  const running = await godwit("vm", "export", "web-server-old", "shared:web.ova", "--json");
  expect(running.exitCode).toBe(1);
  expect(running.stderr).toContain("VM_RUNNING");
  await lab.succeeded(
    lab.api.call("vmStop", { params: { vm: "web-server-old" }, body: { graceSeconds: 0 } }),
  );
  const made = await godwit("vm", "export", "web-server-old", "shared:web.ova");
  expect(made.stderr).toContain("Not exported: CPU features that were asked for");
  expect(made.stdout).toMatch(/VM web-server-old is exported to shared:web\.ova \(.*B\)/);
  const again = await godwit("vm", "export", "web-server-old", "shared:web.ova");
  expect(again.exitCode).toBe(1);
  expect(again.stderr).toContain("EXPORT_PLACE_UNUSABLE");

  const flags = ["--name", "web-2", "--network", "office", "--new-macs"];
  const imported = await godwit("vm", "import", "shared:web.ova", ...flags, "--json");
  expect(JSON.parse(imported.stdout)).toMatchObject({
    task: { kind: "vm.create", state: "succeeded" },
    report: { format: "ova", notCarried: [] },
  });
  await lab.succeeded(lab.api.call("vmStart", { params: { vm: "web-2" }, body: {} }));
  await hasBooted(await lab.vm("web-2"));
});

test("a boot order holds from the next start: the VM boots from its second disk", async () => {
  const show = async () => (await lab.vm("web-2")).config;
  const [, second] = (await show()).disks;
  const device = `disk:${second?.name ?? ""}`;
  const running = await godwit("vm", "set", "web-2", "--boot-order", device);
  expect(running.stderr).toContain("VM_RUNNING");
  await lab.succeeded(lab.api.call("vmStop", { params: { vm: "web-2" }, body: { graceSeconds: 0 } }));
  const wrong = await godwit("vm", "set", "web-2", "--boot-order", "disk:none");
  expect(wrong.stderr).toContain("the VM has no disk:none");
  const set = await godwit("vm", "set", "web-2", "--boot-order", `${device},nic:1`);
  expect(set.stdout).toContain(`boots from ${device}, nic:1`);
  await lab.succeeded(lab.api.call("vmStart", { params: { vm: "web-2" }, body: {} }));
  await hasBooted(await lab.vm("web-2"), saidBySecond);
  const to = (await lab.vm("web-2")).host === "b" ? "a" : "b";
  await lab.succeeded(
    lab.api.call("vmMigrate", { params: { vm: "web-2" }, body: { to, maxOutageMs: 2000 } }),
  );
  expect(await lab.runnersOf(await lab.vm("web-2"))).toEqual([to]);
});
