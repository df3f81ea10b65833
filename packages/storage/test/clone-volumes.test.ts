/** VMs with disks on a LUN that are copied, onto it, from it, and on it: what is in the copies, and what is left where that was ended. */
import { spawn, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { volumePath, type ImageCopy, type Vm, type VmDescription, type VmId } from "@godwit/contract";
import { run, until, userIds } from "@godwit/system";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import { cloneDescription } from "../src/clone-description.ts";
import { convertOnto } from "../src/convert-image.ts";
import { Datastore, markDatastore } from "../src/datastore.ts";
import { freezeDisk } from "../src/disk-freezing.ts";
import { createVm } from "../src/new-vm.ts";
import { deleteVm } from "../src/vm-folder.ts";
import { VmDatastores } from "../src/vm-datastores.ts";
import { LoopVolumes } from "./loop-volumes.ts";

const mib = 1048576;
const owner = "nobody";
const missing =
  spawnSync("losetup", ["--find"]).status !== 0
    ? "there are no loop devices"
    : spawnSync("qemu-img", ["--version"]).status !== 0
      ? "qemu-img is not installed"
      : null;
const ids = [1, 2, 3, 4].map((n) => `6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a1${String(n)}` as VmId);
const volumeGroups = new Set(["san"]);
const defaults = { machine: "pc-q35-7.2", cpu: { model: "qemu64-v1", add: [], remove: [] }, macs: [] };

/** Processes that have a word in their argument vectors. */
async function processesWith(word: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = pids.map(async (pid) => {
    const words = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    return words.startsWith("qemu-img\0") && words.split("\0").includes(word) ? [Number(pid)] : [];
  });
  return (await Promise.all(found)).flat();
}
const works = (word: string) =>
  until(async () => ((await processesWith(word)).length > 0 ? true : null), { everyMs: 20, limitMs: 60_000 });
const isOver = (word: string) =>
  until(async () => ((await processesWith(word)).length === 0 ? true : null), {
    everyMs: 20,
    limitMs: 60_000,
  });

describeWith("copies of VMs on a LUN", missing, () => {
  let folder: string;
  let home: Datastore;
  let san: LoopVolumes;
  let stores: VmDatastores;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "gw-clone-"));
    await run("chmod", ["755", folder], { what: "opening the folder" });
    await markDatastore({ name: "shared", path: folder, shared: true }, "a");
    home = await Datastore.open({ name: "shared", path: folder, shared: true }, "a");
    san = new LoopVolumes("san", folder);
    stores = new VmDatastores(home, [], [san.asGroup()]);
  });
  afterEach(async () => {
    await san.close();
    await rm(folder, { recursive: true });
  });

  const create = (index: number, description: VmDescription, of?: Vm, onCopy?: (copy: ImageCopy) => void) =>
    createVm(stores, {
      ...{ id: ids[index] as VmId, description, owner, host: "a", imagesOf: of, onCopy },
      defaults,
    });
  const original = () =>
    create(0, {
      ...{ name: "web-1", datastore: "shared", memoryMib: 64, vcpus: 1, guestAgent: false, nics: [] },
      disks: [{ name: "data", format: "qcow2", sizeMib: 8 }],
    });
  const copy = (index: number, vm: Vm, datastore: string | null) =>
    create(index, cloneDescription(vm, { name: `web-${String(index + 1)}`, datastore, volumeGroups }), vm);
  const reads = (path: string, format: string, byte: number) =>
    run(
      "qemu-io",
      ["-r", "-f", format, "-c", `read -q -P ${String(byte)} 1M 1M`, "-c", "read -q -P 0 4M 4M", path],
      {
        what: `reading ${path}`,
      },
    );

  test("a linked disk comes onto it with what it reads from its base", async () => {
    const first = await original();
    const image = join(folder, "web-1/data.qcow2");
    await run("qemu-io", ["-c", "write -q -P 7 1M 1M", image], { what: "writing" });
    const [disk] = first.disks;
    if (disk === undefined) throw new Error("no disk");
    const frozen = await freezeDisk(stores, first, { disk, user: await userIds(owner) });
    const onto = await copy(1, frozen, "san");
    expect(onto.disks).toMatchObject([{ datastore: "san", format: "raw" }]);
    expect(onto.disks[0]).not.toHaveProperty("base");
    await reads(san.fileOf(volumePath(onto.id, "data")), "raw", 7);
  });

  test("from a datastore with files onto it, on it, and back to files, and all have the same content", async () => {
    const first = await original();
    const image = join(folder, "web-1/data.qcow2");
    await run("qemu-io", ["-c", "write -q -P 7 1M 1M", image], { what: "writing" });

    const onto = await copy(1, first, "san");
    expect(onto.disks).toEqual([
      { name: "data", datastore: "san", path: volumePath(onto.id, "data"), format: "raw", taken: false },
    ]);
    expect([onto.datastore, san.active.size]).toEqual(["shared", 0]);
    await reads(san.fileOf(volumePath(onto.id, "data")), "raw", 7);

    const on = await copy(2, onto, null);
    expect([...san.volumes.keys()]).toEqual([onto, on].map(({ id }) => volumePath(id, "data")));
    await reads(san.fileOf(volumePath(on.id, "data")), "raw", 7);

    const back = await copy(3, on, "shared");
    expect(back.disks).toMatchObject([{ name: "data", path: "web-4/data.raw", format: "raw" }]);
    await reads(join(folder, "web-4/data.raw"), "raw", 7);
    expect((await stat(join(folder, "web-4/data.raw"))).size).toBe(8 * mib);
    // The one that was copied is as it was, and active nowhere.
    await reads(image, "qcow2", 7);
    expect(san.active.size).toBe(0);
  });

  test("a volume of a VM that is not the one that is copied is refused, and nothing is left of the copy", async () => {
    const first = await original();
    const onto = await copy(1, first, "san");
    const stolen = cloneDescription(onto, { name: "web-3", datastore: "shared", volumeGroups });
    await expect(create(2, stolen, first)).rejects.toMatchObject({ code: "DISK_NOT_OWN" });
    await expect(create(2, stolen)).rejects.toMatchObject({ code: "DATASTORE_WITHOUT_FOLDERS" });
    expect((await readdir(folder)).filter((name) => name.startsWith("web-"))).toEqual(["web-1", "web-2"]);
    expect(san.volumes.size).toBe(1);
  });

  test("a copy that fails leaves the one that is copied, and no volume", async () => {
    const first = await original();
    await writeFile(join(folder, "web-1/data.qcow2"), "no image");
    await expect(copy(1, first, "san")).rejects.toMatchObject({ code: "IMAGE_FORMAT_DIFFERS" });
    expect([san.volumes.size, san.active.size]).toEqual([0, 0]);
    await deleteVm(new VmDatastores(home), "web-1");
  });

  test("a copy that is cancelled after an earlier attempt was cut off leaves nothing of either", async () => {
    const first = await createVm(stores, {
      ...{ id: ids[0] as VmId, owner, host: "a", defaults },
      description: {
        ...{ name: "web-1", datastore: "shared", memoryMib: 64, vcpus: 1, guestAgent: false, nics: [] },
        disks: ["root", "data"].map((name) => ({ name, format: "qcow2", sizeMib: 8 })),
      },
    });
    // Cut off after the second disk.
    await mkdir(join(folder, "web-2"));
    await writeFile(join(folder, "web-2/.godwit-creating"), `${ids[1] ?? ""}\n`);
    const disk = { name: "data", path: volumePath(ids[1] ?? "", "data") };
    const of = { vm: { id: ids[1] as VmId, name: "web-2" }, disk };
    await san.asGroup().make(of, 8, await userIds(owner), { onMade: () => undefined });
    expect([...san.volumes.keys()]).toEqual([disk.path]);

    const ended = new AbortController();
    ended.abort(new Error("it was cancelled"));
    const description = cloneDescription(first, { name: "web-2", datastore: "san", volumeGroups });
    const options = { id: ids[1] as VmId, description, owner, host: "a", defaults, imagesOf: first };
    await expect(createVm(stores, { ...options, signal: ended.signal })).rejects.toThrow("it was cancelled");
    expect([san.volumes.size, san.active.size]).toEqual([0, 0]);
    expect(await readdir(join(folder, "web-2")).catch(() => [])).toEqual([]);
    expect((await createVm(stores, options)).disks).toHaveLength(2);
  });

  test("a volume of a cancelled copy that cannot be removed is told of", async () => {
    const first = await original();
    const group = Object.assign(san.asGroup(), { remove: () => Promise.reject(new Error("the LUN hangs")) });
    const description = cloneDescription(first, { name: "web-2", datastore: "san", volumeGroups });
    const options = { id: ids[1] as VmId, description, owner, host: "a", defaults, imagesOf: first };
    const left: string[] = [];
    const onLeft = (what: string, error: unknown) => left.push(`${what}: ${String(error)}`);
    const making = createVm(new VmDatastores(home, [], [group]), {
      ...{ ...options, onLeft, signal: AbortSignal.abort(new Error("it was cancelled")) },
    });
    await expect(making).rejects.toThrow("it was cancelled");
    expect([left, san.volumes.size]).toEqual([["remove the volume: Error: the LUN hangs"], 1]);
  });

  /** An image of which each piece takes as long as a storage that hangs. */
  const slow = {
    name: `json:${JSON.stringify({ driver: "null-co", size: 64 * mib, "latency-ns": 3_600_000_000_000, "read-zeroes": false })}`,
    ...{ what: "copying", virtualBytes: 64 * mib },
  };

  test("a conversion onto a device ends when that is asked for, and when its agent is killed", async () => {
    const device = san.fileOf("device.raw");
    await writeFile(device, "");
    const user = await userIds(owner);
    await run("truncate", ["--size=64M", device], { what: "making a device" });
    await run("chown", [String(user.uid), device], { what: "giving it" });
    const place = { vm: "web-1", disk: "data", path: "image", user };

    const ended = new AbortController();
    const reason = new Error("it was cancelled");
    const converting = convertOnto(device, place, slow, { signal: ended.signal });
    converting.catch(() => undefined);
    expect(await works(device)).toBe(true);
    ended.abort(reason);
    await expect(converting).rejects.toBe(reason);
    expect(await isOver(device)).toBe(true);

    const url = pathToFileURL(join(import.meta.dirname, "../src/convert-image.ts")).href;
    const words = [device, place, slow, {}].map((word) => JSON.stringify(word)).join(", ");
    const agent = spawn(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `const { convertOnto } = await import("${url}"); await convertOnto(${words});`,
      ],
      { stdio: "ignore" },
    );
    expect(await works(device)).toBe(true);
    agent.kill("SIGKILL");
    expect(await isOver(device)).toBe(true);
  });
});
