/**
 * VMs with linked disks: made from an image of the library, and copied from one that has run. Both run at once, and each guest finds its own
 * writes and none of the other's. Moves, snapshots, a move to another datastore, and the deletion of what they were made from lose nothing.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildGuest, datastorePath, findQemus, qemuProcessesOf, vmAddress } from "@godwit/lab";
import { run } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const maxOutageMs = 20_000;

/** Says a word to a guest's database in its inline form. @returns its answer, without the length before it */
const speaker = `
use IO::Socket::INET;
my ($address, @words) = @ARGV;
my $to = IO::Socket::INET->new(PeerAddr => $address, PeerPort => 6379, Timeout => 20) or die "no connection: $!";
$to->autoflush(1);
print $to join(" ", @words), "\\r\\n";
my $answer = <$to>;
$answer = <$to> if $answer =~ /^\\$\\d/;
print $answer;
`;

/** @param index of the guest's address. It may have been started just now. */
async function redis(lab: TestLab, index: number, ...words: string[]): Promise<string> {
  const inside = ["netns", "exec", lab.lab.namespace("client")];
  let said = "";
  const ask = async () => {
    const args = [...inside, "perl", "-e", speaker, vmAddress(index), ...words];
    said = await run("ip", args, { what: "asking the guest's database" }).then(
      ({ stdout }) => stdout.trim(),
      () => "LOADING",
    );
    return said;
  };
  await expect.poll(ask, { timeout: 120_000 }).not.toMatch(/LOADING/);
  return said;
}

async function addFast(lab: TestLab): Promise<void> {
  await mkdir(join(lab.lab.sharedFolder, "second"));
  for (const host of lab.lab.hosts) {
    await host.configure({ datastoreFolders: [datastorePath] });
    await host.endAgent();
    await host.startAgent();
  }
  const states = async () => (await lab.api.call("hostList", {})).hosts.map(({ state }) => state);
  await expect.poll(states, { timeout: 60_000 }).toEqual(["connected", "connected"]);
  const source = { kind: "directory" as const, path: `${datastorePath}/second` };
  await lab.api.call("datastoreAdd", { body: { name: "fast", shared: true, source, hosts: ["a", "b"] } });
  await lab.api.call("datastoreInit", { params: { datastore: "fast" }, body: { host: "a", onRoot: true } });
}

/** The images that a VM's QEMU has open, and whether it could write to them, by the host's own tables. */
async function openImages(lab: TestLab, vm: string): Promise<Record<string, "r" | "rw">> {
  const found: Record<string, "r" | "rw"> = {};
  for (const { pid } of await qemuProcessesOf(lab.lab)) {
    for (const fd of await readdir(`/proc/${String(pid)}/fd`)) {
      const path = await readlink(`/proc/${String(pid)}/fd/${fd}`).catch(() => "");
      if (!path.endsWith(".qcow2") || !path.includes(`/${vm}/`)) continue;
      const flags =
        /^flags:\s+(\d+)$/m.exec(await readFile(`/proc/${String(pid)}/fdinfo/${fd}`, "utf8"))?.[1] ?? "2";
      found[path.slice(path.lastIndexOf("/") + 1)] = (Number.parseInt(flags, 8) & 3) === 0 ? "r" : "rw";
    }
  }
  return found;
}

const start = (lab: TestLab, vm: string) =>
  lab.succeeded(lab.api.call("vmStart", { params: { vm }, body: {} }));
const powerOff = (lab: TestLab, vm: string) =>
  lab.succeeded(lab.api.call("vmStop", { params: { vm }, body: { graceSeconds: 0 } }));
const disksOf = async (lab: TestLab, vm: string) => (await lab.vm(vm)).config.disks;

/** A copy of a guest has its fixed address until somebody changes that. */
async function readdress(lab: TestLab, vm: string, from: number, to: number): Promise<void> {
  await lab.api.call("vmUnregister", { params: { vm } });
  const file = join(lab.lab.sharedFolder, vm, "vm.json");
  await writeFile(file, (await readFile(file, "utf8")).replace(`=${vmAddress(from)}/`, `=${vmAddress(to)}/`));
  await lab.api.call("vmRegister", { body: { datastore: "shared", name: vm, host: "b" } });
}

const present = await findQemus();
const versions = ["7.2", "10.0"].flatMap((name) =>
  present.filter(({ version }) => version.startsWith(`${name}.`)),
);

test.for(versions)(
  "QEMU $version: VMs that are linked to an image of the library share it, and nothing of what they write",
  async ({ version }) => {
    await using lab = await TestLab.start({ hosts: ["a", "b"], qemu: { a: version, b: version } });
    const shared = lab.lab.sharedFolder;
    await copyFile((await buildGuest(() => undefined)).disk, join(shared, "incoming.qcow2"));
    const from = { datastore: "shared", path: "incoming.qcow2" };
    await lab.succeeded(lab.api.call("imageAdd", { body: { name: "guest", datastore: "shared", from } }));
    const image = await lab.api.call("imageShow", { params: { image: "guest" } });
    const content = await readFile(join(shared, image.path));

    // Two from the library, on two hosts at once.
    const disks = [{ name: "data", image: image.path, linked: true }];
    const one = await lab.boot({ name: "web-1", on: "a", disks });
    await lab.boot({ name: "web-2", on: "b", disks });
    expect((await stat(join(shared, image.path))).nlink).toBe(3);
    await redis(lab, 1, "set", "story", "second");
    // One more comes to it while it runs, and goes again.
    const more = { name: "more", image: image.path, linked: true };
    await lab.succeeded(lab.api.call("vmDiskAdd", { params: { vm: "web-2" }, body: more }));
    const both = { "data.qcow2": "rw", "data.base.qcow2": "r" };
    expect(await openImages(lab, "web-2")).toEqual({ ...both, "more.qcow2": "rw", "more.base.qcow2": "r" });
    await lab.succeeded(lab.api.call("vmDiskRemove", { params: { vm: "web-2", disk: "more" }, query: {} }));
    expect(await openImages(lab, "web-2")).toEqual(both);
    expect((await stat(join(shared, image.path))).nlink).toBe(3);
    {
      await using load = await lab.load();
      await redis(lab, 0, "set", "story", "first");
      await lab.api.call("imageDelete", { params: { image: "guest" } });
      await lab.succeeded(
        lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b", maxOutageMs } }),
      );
      expect(await lab.runnersOf(one)).toEqual(["b"]);
      expect(await openImages(lab, "web-1")).toEqual({ "data.qcow2": "rw", "data.base.qcow2": "r" });
      expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0, reconnects: 0 });
    }
    expect(await redis(lab, 1, "get", "story")).toBe("second");

    // A snapshot lies in the VM's own image.
    const snapshot = { params: { vm: "web-1" }, body: { name: "before", memory: false } };
    await lab.succeeded(lab.api.call("vmSnapshotCreate", snapshot));
    await redis(lab, 0, "set", "story", "later");
    const before = { vm: "web-1", snapshot: "before" };
    await lab.succeeded(lab.api.call("vmSnapshotRevert", { params: before, body: { disksOnly: true } }));
    await start(lab, "web-1");
    expect(await redis(lab, 0, "get", "story")).toBe("first");
    for (const vm of ["web-1", "web-2"]) await powerOff(lab, vm);
    // Nothing that both have run through has changed what they share.
    expect(await readFile(join(shared, "web-2/data.base.qcow2"))).toEqual(content);
    await lab.succeeded(lab.api.call("vmDelete", { params: { vm: "web-1" }, query: { disks: "all" } }));
    expect(existsSync(join(shared, "web-1"))).toBe(false);
    await start(lab, "web-2");
    expect(await redis(lab, 1, "get", "story")).toBe("second");
  },
);

test.for(versions)(
  "QEMU $version: a VM that has run and its linked copy have what was before in common, and each outlives the other",
  async ({ version }) => {
    await using lab = await TestLab.start({ hosts: ["a", "b"], qemu: { a: version, b: version } });
    await addFast(lab);
    const shared = lab.lab.sharedFolder;
    // Its disk gets a base by that, which both read.
    await lab.boot({ name: "web-1", on: "b" });
    await redis(lab, 0, "set", "story", "common");
    await powerOff(lab, "web-1");
    await lab.succeeded(
      lab.api.call("vmClone", { params: { vm: "web-1" }, body: { name: "web-2", linked: true } }),
    );
    const elsewhere = { name: "web-3", linked: true, datastore: "fast" };
    await expect(lab.api.call("vmClone", { params: { vm: "web-1" }, body: elsewhere })).rejects.toMatchObject(
      {
        ...{ code: "DISK_NOT_LINKABLE", problem: { details: { disk: "data", reason: "elsewhere" } } },
      },
    );
    const base = (vm: string) => ({ path: `${vm}/data.base.qcow2`, format: "qcow2" });
    expect(await disksOf(lab, "web-1")).toMatchObject([
      { path: "web-1/data.linked.qcow2", base: base("web-1") },
    ]);
    expect(await disksOf(lab, "web-2")).toMatchObject([{ path: "web-2/data.qcow2", base: base("web-2") }]);
    await readdress(lab, "web-2", 0, 1);
    for (const vm of ["web-1", "web-2"]) await start(lab, vm);
    for (const index of [0, 1]) expect(await redis(lab, index, "get", "story")).toBe("common");
    await redis(lab, 0, "set", "own", "parent");
    await redis(lab, 1, "set", "own", "copy");
    expect([await redis(lab, 0, "get", "own"), await redis(lab, 1, "get", "own")]).toEqual([
      "parent",
      "copy",
    ]);
    await powerOff(lab, "web-1");
    // In full, while another reads the same base.
    await lab.succeeded(lab.api.call("vmClone", { params: { vm: "web-1" }, body: { name: "web-4" } }));
    expect((await disksOf(lab, "web-4"))[0]).not.toHaveProperty("base");
    expect(await readdir(join(shared, "web-4"))).not.toContain("data.base.qcow2");
    await lab.succeeded(lab.api.call("vmDelete", { params: { vm: "web-1" }, query: { disks: "all" } }));
    expect(await redis(lab, 1, "get", "own")).toBe("copy");

    // On another datastore it is complete in itself.
    const params = { vm: "web-2" };
    await lab.succeeded(lab.api.call("vmDisksRelocate", { params, body: { datastore: "fast" } }));
    expect(await openImages(lab, "web-2")).toEqual({ "data.qcow2": "rw" });
    const [flat] = await disksOf(lab, "web-2");
    expect(flat).toMatchObject({ datastore: "fast", path: "web-2/data.qcow2" });
    expect(flat).not.toHaveProperty("base");
    expect(await readdir(join(shared, "web-2"))).not.toContain("data.base.qcow2");
    await powerOff(lab, "web-2");
    const { stdout } = await run(
      "qemu-img",
      ["info", "--output=json", join(shared, "second/web-2/data.qcow2")],
      {
        what: "reading an image",
      },
    );
    expect(JSON.parse(stdout)).not.toHaveProperty("backing-filename");
    await start(lab, "web-2");
    expect([await redis(lab, 1, "get", "story"), await redis(lab, 1, "get", "own")]).toEqual([
      "common",
      "copy",
    ]);
  },
);

test("a linked VM that moves with its disks arrives complete in itself, and leaves nothing", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const folderOf = (host: string) => join(lab.lab.host(host).folder, "volumes/local");
  for (const host of ["a", "b"]) {
    await mkdir(folderOf(host), { recursive: true });
    await lab.lab.host(host).configure({ datastoreFolders: [join(lab.lab.host(host).folder, "volumes")] });
    await lab.lab.host(host).endAgent();
    await lab.lab.host(host).startAgent();
  }
  const states = async () => (await lab.api.call("hostList", {})).hosts.map(({ state }) => state);
  await expect.poll(states, { timeout: 60_000 }).toEqual(["connected", "connected"]);
  for (const host of ["a", "b"]) {
    const source = { kind: "directory" as const, path: folderOf(host) };
    const datastore = `local-${host}`;
    await lab.api.call("datastoreAdd", { body: { name: datastore, shared: false, hosts: [host], source } });
    await lab.api.call("datastoreInit", { params: { datastore }, body: { host, onRoot: true } });
  }
  await copyFile((await buildGuest(() => undefined)).disk, join(folderOf("a"), "incoming.qcow2"));
  const from = { datastore: "local-a", path: "incoming.qcow2" };
  await lab.succeeded(
    lab.api.call("imageAdd", { body: { name: "guest", datastore: "local-a", from, host: "a" } }),
  );
  const image = await lab.api.call("imageShow", { params: { image: "guest" } });
  const vm = await lab.boot({
    ...{ on: "a", at: { datastore: "local-a", folder: folderOf("a") } },
    disks: [{ name: "data", image: image.path, linked: true }],
  });
  // The kernel that the guest is booted with lies beside its disks.
  await run("cp", ["-r", join(folderOf("a"), "guest"), folderOf("b")], { what: "copying the kernel" });
  {
    await using load = await lab.load();
    await redis(lab, 0, "set", "story", "told");
    const body = { to: "b", datastore: "local-b", maxOutageMs };
    await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body }));
    expect(await lab.runnersOf(vm)).toEqual(["b"]);
    expect(await openImages(lab, "web-1")).toEqual({ "data.qcow2": "rw" });
    expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0, reconnects: 0 });
  }
  const [disk] = await disksOf(lab, "web-1");
  expect(disk).not.toHaveProperty("base");
  await expect.poll(() => existsSync(join(folderOf("a"), "web-1")), { timeout: 60_000 }).toBe(false);
  expect((await stat(join(folderOf("a"), image.path))).nlink).toBe(1);
  await powerOff(lab, "web-1");
  await start(lab, "web-1");
  expect(await redis(lab, 0, "get", "story")).toBe("told");
});
