/** LUNs: which device one is, what LVM reports of it, and whose volumes are on it. The reports are what LVM 2.03.16 printed. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isBlockPath, isVolumePath, volumePath, type Vm, type VmId } from "@godwit/contract";
import { run } from "@godwit/system";
import fc from "fast-check";
import { expect, test } from "vitest";
import { groupName, groupOf, idOfGroup } from "../src/luns/group.ts";
import { deviceOf, seenDevices, type SeenDevice } from "../src/luns/block-devices.ts";
import { checkedCommand, lineOf } from "../src/luns/checked-command.ts";
import { cutOffGrowth, growthTag, wholeExtents } from "../src/luns/growth.ts";
import { groupsIn, lvmArguments, volumesIn } from "../src/luns/lvm.ts";
import { refusalIn } from "../src/luns/metadata-lock.ts";
import { deviceName, vmOfDevice } from "../src/luns/volume-devices.ts";
import { nextStepBytes, zeroRange } from "../src/luns/zeroing.ts";
import { problemsOf } from "../src/vm-file.ts";

const wwn = "6001405e8c2f9cc868049749f4e4f851";
const device = (seen: Partial<SeenDevice>): SeenDevice => ({
  ...{ name: "sda", wwid: null, dmName: null, dmUuid: null, isReadOnly: false },
  ...seen,
});
const path = (name: string) => device({ name, wwid: `naa.${wwn}` });
const map = device({ name: "dm-0", dmName: "mpatha", dmUuid: `mpath-3${wwn}` });

test("a LUN is its multipath map where there is one, its only path where not, and never one path of several", () => {
  const others = [device({ name: "vda" }), device({ name: "sdz", wwid: `naa.${wwn.replace("6", "5")}` })];
  expect(deviceOf(wwn, [...others, path("sdb")])).toEqual({ path: "/dev/sdb", isReadOnly: false });
  expect(deviceOf(wwn, [...others, path("sdb"), path("sdc"), map])).toEqual({
    ...{ path: "/dev/mapper/mpatha", isReadOnly: false },
  });
  expect(deviceOf(wwn, [path("sdb"), map])).toMatchObject({ path: "/dev/mapper/mpatha" });
  expect(deviceOf(wwn, [path("sdb"), path("sdc")])).toEqual({
    problem: expect.stringMatching(/several paths \(sdb, sdc\).*multipathd has to run/) as string,
  });
  expect(deviceOf(wwn, others)).toEqual({ problem: `there is no LUN with this WWN (wwn-0x${wwn})` });
  expect(deviceOf(wwn, [map, { ...map, name: "dm-9" }])).toHaveProperty("problem");
  // A map of another LUN whose name begins with the same digits.
  expect(deviceOf("6001405e8c2f9cc8", [map])).toHaveProperty("problem");
  expect(deviceOf(wwn, [device({ name: "nvme0n1", wwid: `eui.${wwn}`, isReadOnly: true })])).toEqual({
    ...{ path: "/dev/nvme0n1", isReadOnly: true },
  });
});

test("the kernel's words are read as they are, and those that could be no name are passed over", async () => {
  const sys = await mkdtemp(join(tmpdir(), "godwit-sys-"));
  const write = async (name: string, file: string, text: string) => {
    await mkdir(join(sys, name, file, ".."), { recursive: true });
    await writeFile(join(sys, name, file), text);
  };
  try {
    await write("sda", "device/wwid", `naa.${wwn}\n`);
    await write("sda", "ro", "1\n");
    await write("dm-0", "dm/name", "mpatha\n");
    await write("dm-0", "dm/uuid", `mpath-3${wwn}\n`);
    await write("dm-1", "dm/name", "../../etc/passwd\n");
    await write("dm-1", "dm/uuid", `mpath-3${wwn}\n`);
    await write("sdb", "device/wwid", "t10.ATA     QEMU HARDDISK   \0 QM00001\n");
    expect(await seenDevices(sys)).toEqual([
      map,
      { ...device({ name: "dm-1", dmUuid: `mpath-3${wwn}` }) },
      { ...path("sda"), isReadOnly: true },
      device({ name: "sdb" }),
    ]);
  } finally {
    await rm(sys, { recursive: true });
  }
});

const group = "godwit.0123456789abcdef0123456789abcdef";
const reported = (tags: string, more = "") => `
  {
      "report": [
          {
              "vg": [
                  {"vg_name":"${group}", "vg_tags":"${tags}", "vg_attr":"wz--n-", "vg_size":"1052770304", "vg_free":"1035993088", "pv_count":"1", "vg_missing_pv_count":"0"}${more}
              ]
          }
      ]
  }`;

test("a LUN is a datastore by the group of its own WWN that is ready, and everything else is told apart", () => {
  const ready = groupsIn(reported(`godwit.ready,wwn.${wwn}`));
  expect(ready).toEqual([
    {
      ...{ name: group, tags: ["godwit.ready", `wwn.${wwn}`], isWhole: true },
      ...{ sizeBytes: 1052770304, freeBytes: 1035993088 },
    },
  ]);
  expect(groupOf(ready, wwn)).toEqual({ id: "01234567-89ab-cdef-0123-456789abcdef", group: ready[0] });
  const problem = (report: string) => groupOf(groupsIn(report), wwn);
  expect(problem(reported(`wwn.${wwn}`))).toMatchObject({ isUnmarked: true });
  expect(problem('{"report":[{"vg":[]}]}')).toMatchObject({ isUnmarked: true });
  // An array's copy of the LUN has all that the LUN had, and another WWN.
  expect(problem(reported("godwit.ready,wwn.6001405000000000"))).toMatchObject({
    ...{ isUnmarked: false, problem: expect.stringContaining("copy") as string },
  });
  expect(problem(reported(`godwit.ready,wwn.${wwn}`).replace("wz--n-", "rz--n-"))).toMatchObject({
    isUnmarked: false,
  });
  expect(problem(reported(`godwit.ready,wwn.${wwn}`).replace(group, "debian-vg"))).toMatchObject({
    isUnmarked: true,
  });
  for (const broken of [
    "",
    "[]",
    '{"report":[]}',
    '{"report":[{"vg":[{"vg_name":1}]}]}',
    "{".repeat(100_000),
  ])
    expect(() => groupsIn(broken)).toThrow(/not what was expected/);
  const leases = { lv_name: "leases", lv_size: "16777216", lv_uuid: "f2Ds-1", lv_tags: "" };
  const grown = { lv_name: "vol", lv_uuid: "f2Ds-2", lv_size: "4194304", lv_tags: "a,godwit.grows.12" };
  expect(volumesIn(JSON.stringify({ report: [{ lv: [leases, grown] }] }))).toEqual(
    new Map([
      ["leases", { uuid: "f2Ds-1", sizeBytes: 16777216, tags: [] }],
      ["vol", { uuid: "f2Ds-2", sizeBytes: 4194304, tags: ["a", "godwit.grows.12"] }],
    ]),
  );
});

test("LVM is given one device, and settings under which it changes nothing of its own accord", () => {
  const argv = lvmArguments("/dev/mapper/mpatha", ["vgs", "-o", "vg_name"]);
  expect(argv.slice(0, 4)).toEqual(["/sbin/lvm", "vgs", "--devices", "/dev/mapper/mpatha"]);
  expect(argv[5]).toContain('system_id="godwit"');
  expect(argv[5]).toContain("auto_activation_volume_list=[]");
  expect(argv.slice(6)).toEqual(["-o", "vg_name"]);
});

test("what sanlock says where it does not start a command is not taken for the command's end", () => {
  const refused = (code: string) => `register\nregister done 3\nacquire fd 3\nacquire done ${code}\n`;
  expect(refusalIn(refused("-243"))).toBe(-243);
  expect(refusalIn(refused("-28"))).toBe(-28);
  expect(refusalIn('  Logical volume "vol" created.\n')).toBeNull();
});

const id = fc.uuid();
const diskName = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?$/);

test("a volume's name says whose disk it is, and device-mapper has room for it", () => {
  fc.assert(
    fc.property(id, id, diskName, (vm, datastore, disk) => {
      const path = volumePath(vm, disk);
      expect(isVolumePath(path) && isBlockPath(path)).toBe(true);
      expect(idOfGroup(groupName(datastore))).toBe(datastore);
      const name = deviceName(groupName(datastore), path);
      expect(name.length).toBeLessThan(128);
      expect(vmOfDevice(name)).toBe(vm.replaceAll("-", ""));
    }),
  );
  expect(vmOfDevice(deviceName(group, "leases"))).toBeNull();
  for (const name of ["vol.1.data", "web-1/data.raw", "vol.0123456789abcdef0123456789abcdef.", "lun-1"])
    expect(isVolumePath(name)).toBe(false);
});

test("a description may name the volumes of its own VM only, each for its own disk", () => {
  const vmId = "22222222-2222-4222-8222-000000000001" as VmId;
  const problems = (path: string, datastore?: string) =>
    problemsOf(
      {
        ...{ id: vmId, name: "web-1", datastore: "shared" },
        disks: [{ name: "data", path, format: "raw", ...(datastore === undefined ? {} : { datastore }) }],
      } as unknown as Vm,
      "shared",
      "web-1",
    );
  expect(problems(volumePath(vmId, "data"), "san")).toEqual([]);
  expect(problems(volumePath(vmId, "data"))).toHaveLength(1);
  expect(problems(volumePath(vmId, "root"), "san")).toHaveLength(1);
  expect(problems(volumePath("33333333-2222-4222-8222-000000000001", "data"), "san")).toHaveLength(1);
});

test("a growth is known by its tags, the least size of them counts; sizes are whole extents", () => {
  const tags = [9, 3, 7].map(growthTag);
  expect(cutOffGrowth(["other", "godwit.grows.x", ...tags])).toEqual({ tags, fromBytes: 3 });
  expect(cutOffGrowth(["other"])).toBeNull();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 50 }), (bytes) => {
      const whole = wholeExtents(bytes);
      expect([whole % 4194304, whole >= bytes, whole - bytes < 4194304]).toEqual([0, true, true]);
      expect(wholeExtents(whole)).toBe(whole);
    }),
  );
});

test("zeroing covers the range exactly once, step after step, and ends with a step that fails or when it is ended", async () => {
  const range = { fromBytes: 5 * 1048576, toBytes: 2900 * 1048576 };
  let at = range.fromBytes;
  const steps: number[] = [];
  await zeroRange(range, async (offset, length) => {
    expect(offset).toBe(at);
    at += length;
    steps.push(length / 1048576);
  });
  expect(at).toBe(range.toBytes);
  expect(steps.slice(0, 5)).toEqual([64, 128, 256, 512, 512]);
  let tries = 0;
  const fails = async () => {
    tries += 1;
    throw new Error("it hangs");
  };
  await expect(zeroRange(range, fails)).rejects.toThrow("it hangs");
  const ended = new AbortController();
  const ends = async () => {
    tries += 1;
    ended.abort(new Error("it is cancelled"));
  };
  await expect(zeroRange(range, ends, ended.signal)).rejects.toThrow("it is cancelled");
  expect(tries).toBe(2);
  fc.assert(
    fc.property(fc.integer({ min: 1048576, max: 2 ** 29 }), fc.nat(60_000), (step, tookMs) => {
      const next = nextStepBytes(step, tookMs);
      expect([next >= 1048576, next <= 2 ** 29]).toEqual([true, true]);
      if (tookMs > 12_000) expect(next).toBeLessThanOrEqual(step);
    }),
  );
});

test("a change is made of the very volume that was seen, and of no other", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gw-lun-"));
  await using _folder = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
  const marks = ["first", "it's second"].map((name) => join(folder, name));
  const seen = { uuid: "f2Ds-Xx", sizeBytes: 4194304, tags: ["a", "godwit.grows.12"] };
  const look = (said: string) => ["/bin/echo", said];
  const changed = async (said: string) => {
    const [program = "", ...args] = checkedCommand(
      look(said),
      seen,
      marks.map((mark) => lineOf(["/bin/touch", mark])),
    );
    const result = await run(program, args, { what: "changing", okCodes: [0, 5] });
    return { exitCode: result.exitCode, made: (await readdir(folder)).sort() };
  };
  for (const other of [
    "",
    "f2Ds-Yy 4194304 a,godwit.grows.12",
    "f2Ds-Xx 8388608 a,godwit.grows.12",
    "f2Ds-Xx 4194304 a",
  ])
    expect(await changed(other)).toEqual({ exitCode: 5, made: [] });
  expect(await changed("  f2Ds-Xx  4194304 a,godwit.grows.12 ")).toEqual({
    ...{ exitCode: 0, made: ["first", "it's second"] },
  });
});
