/**
 * A VM's disk moves to another datastore and back while its guest writes: what was acknowledged is on the disk, by a guest that
 * was started anew from it. Cut off at any point, the disk is at one place, whole, and nothing is at the other.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Task } from "@godwit/contract";
import { datastorePath, findQemus, qemuProcessesOf } from "@godwit/lab";
import { run, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const params = { vm: "web-1" };
/** A second disk, of random content. */
const bigMib = 48;
/** So slow that it takes a quarter of a minute. */
const slowly = { disks: ["big"], bandwidthMbps: 24 };

/** Two hosts, with a second datastore of both. */
async function labWithTwo(qemu: Record<string, string> = {}): Promise<TestLab> {
  const lab = await TestLab.start({ hosts: ["a", "b"], qemu });
  await mkdir(second(lab));
  await defineSecond(lab, ["a", "b"]);
  return lab;
}

async function defineSecond(lab: TestLab, hosts: string[], folder?: string): Promise<void> {
  for (const host of lab.lab.hosts) {
    await host.configure({ datastoreFolders: [folder === undefined ? datastorePath : dirname(folder)] });
    await host.endAgent();
    await host.startAgent();
  }
  await connected(lab);
  const source = { kind: "directory" as const, path: folder ?? `${datastorePath}/second` };
  await lab.api.call("datastoreAdd", { body: { name: "fast", shared: true, source, hosts } });
  await lab.api.call("datastoreInit", { params: { datastore: "fast" }, body: { host: "a", onRoot: true } });
}

const second = (lab: TestLab): string => join(lab.lab.sharedFolder, "second");
const move = (lab: TestLab, datastore: string, more: { disks?: string[]; bandwidthMbps?: number } = {}) =>
  lab.api.call("vmDisksRelocate", { params, body: { datastore, ...more } });

async function connected(lab: TestLab): Promise<void> {
  const states = async () => (await lab.api.call("hostList", {})).hosts.map(({ state }) => state);
  await expect.poll(states, { timeout: 60_000 }).toEqual(["connected", "connected"]);
}

/** The images that the one QEMU has open, by the host's own table, relative to the shared storage. */
async function openImages(lab: TestLab): Promise<string[]> {
  const [only] = await qemuProcessesOf(lab.lab);
  if (only === undefined) throw new Error("no QEMU runs");
  const of = `/proc/${String(only.pid)}/fd`;
  const links = await Promise.all((await readdir(of)).map((fd) => readlink(`${of}/${fd}`).catch(() => "")));
  const images = links.filter((path) => /\.(?:qcow2|raw)$/.test(path));
  return [...new Set(images)].map((path) => path.slice(path.indexOf("/shared/") + 8)).sort();
}

/** The disk's image is at one of the two places, and nothing of it at the other. */
function placesOf(lab: TestLab, image = "data.qcow2", fast = second(lab)): string[] {
  const places = { shared: join(lab.lab.sharedFolder, "web-1"), fast: join(fast, "web-1") };
  return [
    ...(existsSync(join(places.shared, image)) ? ["shared"] : []),
    ...(existsSync(join(places.fast, image)) ? ["fast"] : []),
    ...(existsSync(join(places.shared, ".godwit-relocation")) ? ["note"] : []),
  ];
}

/** The VM loses its power; what it then has is what is on its disk. */
async function startAnew(lab: TestLab): Promise<void> {
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
}

const isCopying = (task: Task): boolean =>
  task.kind === "vm.relocateDisks" && (task.progress?.copiedBytes ?? 0) > 0;

const present = await findQemus();
const versions = ["7.2", "10.0"].flatMap((name) =>
  present.filter(({ version }) => version.startsWith(`${name}.`)),
);

test.for(versions)(
  "QEMU $version: a disk moves there and back under load, and nothing is lost",
  async ({ version }) => {
    await using lab = await labWithTwo({ a: version, b: version });
    await lab.boot({ on: "a" });
    await using load = await lab.load();
    for (const [datastore, image] of [
      ["fast", "second/web-1/data.qcow2"],
      ["shared", "web-1/data.qcow2"],
      ["fast", "second/web-1/data.qcow2"],
    ] as const) {
      expect(await lab.succeeded(move(lab, datastore))).toMatchObject({ request: { unseenBy: [] } });
      expect(await openImages(lab)).toEqual([image]);
      expect(placesOf(lab)).toEqual([datastore]);
    }
    await expect(move(lab, "fast")).rejects.toMatchObject({ code: "DISKS_ALREADY_THERE" });
    // An emulated guest on a busy machine changes much of its memory meanwhile.
    await lab.succeeded(lab.api.call("vmMigrate", { params, body: { to: "b", maxOutageMs: 20_000 } }));
    expect(await openImages(lab)).toEqual(["second/web-1/data.qcow2"]);
    await startAnew(lab);
    expect(await openImages(lab)).toEqual(["second/web-1/data.qcow2"]);
    await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
    await lab.succeeded(move(lab, "shared"));
    expect(placesOf(lab)).toEqual(["shared"]);

    // A copy of the VM has all of it, too.
    await lab.succeeded(lab.api.call("vmClone", { params, body: { name: "web-2" } }));
    const [vm, copy] = [await lab.vm("web-1"), await lab.vm("web-2")];
    expect(copy.config).toMatchObject({
      ...{ memoryMib: vm.config.memoryMib, machine: vm.config.machine, boot: vm.config.boot },
      disks: [{ name: "data", path: "web-2/data.qcow2", taken: false }],
    });
    expect(copy.config.nics[0]?.mac).not.toBe(vm.config.nics[0]?.mac);
    await lab.succeeded(lab.api.call("vmStart", { params: { vm: "web-2" }, body: {} }));
    await expect(
      lab.api.call("vmClone", { params: { vm: "web-2" }, body: { name: "web-3" } }),
    ).rejects.toMatchObject({
      code: "VM_RUNNING",
    });
    load.reconnect();
    expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });
  },
);

test("cancelled, cut off with its agent, without room or without its QEMU: a disk is at one place, whole", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  await using small = await smallStorage(lab);
  await defineSecond(lab, ["a"], small.folder);
  const content = randomBytes(bigMib << 20);
  await writeFile(join(lab.lab.sharedFolder, "big.raw"), content);
  const vm = await lab.boot({
    on: "a",
    disks: [
      { name: "data", image: "guest/web-1-data.qcow2", take: true },
      { name: "big", image: "big.raw", format: "raw", take: true },
    ],
  });
  await using load = await lab.load();
  const host = lab.lab.host("a");
  const isWholeAt = async (place: "shared" | "fast") => {
    expect(placesOf(lab, "big.raw", small.folder)).toEqual([place]);
    const file = join(place === "fast" ? small.folder : lab.lab.sharedFolder, "web-1/big.raw");
    expect((await readFile(file)).equals(content)).toBe(true);
  };

  const asked = await move(lab, "fast", slowly);
  expect(asked).toMatchObject({ request: { unseenBy: ["b"] } });
  const cancelled = await lab.until(asked.id, isCopying);
  await expect(lab.api.call("vmMigrate", { params, body: { to: "b" } })).rejects.toMatchObject({
    code: "VM_BUSY",
  });
  await lab.api.call("taskCancel", { params: { task: cancelled.id } });
  expect(await lab.ended(cancelled)).toMatchObject({
    state: "cancelled",
    error: { code: "DISK_RELOCATION_CANCELLED", details: { disks: ["big"] } },
  });
  await isWholeAt("shared");
  expect(existsSync(join(small.folder, "web-1"))).toBe(false);

  const full = await lab.until((await move(lab, "fast", slowly)).id, isCopying);
  await small.fill();
  expect(await lab.ended(full)).toMatchObject({
    state: "failed",
    error: { code: "DISK_RELOCATION_FAILED", details: { reason: "No space left on device" } },
  });
  await isWholeAt("shared");
  await small.empty();

  const lost = await lab.until((await move(lab, "fast", slowly)).id, isCopying);
  const [qemu] = await qemuProcessesOf(lab.lab);
  process.kill(qemu?.pid ?? 0, "SIGKILL");
  expect(await lab.ended(lost)).toMatchObject({ state: "failed", error: { code: "DISK_RELOCATION_FAILED" } });
  await isWholeAt("shared");
  const isLost = async () => (await lab.vm("web-1")).state === "lost";
  expect(await until(isLost, { everyMs: 200, limitMs: 60_000 })).toBe(true);
  await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
  expect(await lab.runnersOf(vm)).toEqual(["a"]);

  const cut = await lab.until((await move(lab, "fast", slowly)).id, isCopying);
  await host.endAgent();
  await host.startAgent();
  expect(await lab.ended(cut)).toMatchObject({ state: "succeeded" });
  await isWholeAt("fast");
  expect((await openImages(lab)).some((path) => path.endsWith("small/web-1/big.raw"))).toBe(true);
  load.reconnect();
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });
});

/** A small file system, below host a's own folder. */
async function smallStorage(lab: TestLab): Promise<SmallStorage> {
  const own = lab.lab.host("a").folder;
  const [image, folder] = [join(own, "small.img"), join(own, "volumes/small")];
  await mkdir(folder, { recursive: true });
  await run("truncate", ["--size", "200M", image], { what: "making a small disk" });
  await run("mkfs.ext4", ["-q", "-F", "-m", "0", image], { what: "making a small disk" });
  await run("mount", ["-o", "loop", image, folder], { what: "making a small disk" });
  const filler = join(folder, "filler");
  return {
    folder,
    fill: async () => {
      // It ends when there is no more.
      const words = { what: "filling a disk", okCodes: [0, 1] };
      await run("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k", "status=none"], words);
    },
    empty: () => rm(filler),
    async [Symbol.asyncDispose]() {
      await run("umount", ["-l", folder], { what: "taking the small disk away" });
    },
  };
}

interface SmallStorage extends AsyncDisposable {
  folder: string;
  fill: () => Promise<void>;
  empty: () => Promise<void>;
}
