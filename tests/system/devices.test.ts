/**
 * Disks and NICs that come to a guest while it runs, and go again. What the guest says of them on its console, the argument vector of
 * its QEMU after moves, the files on the datastore and the taps of its host are the proof. An agent that is killed meanwhile leaves
 * nothing half done.
 */
import { existsSync, globSync } from "node:fs";
import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { qemuProcessesOf } from "@godwit/lab";
import { QmpSession } from "@godwit/qmp";
import { processArguments, run, until, Wakeup } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

const params = { vm: "web-1" };
let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"] });
  await lab.boot({ on: "a" });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** Types commands into the guest's shell until it says what is expected, which is not in the commands. */
async function guestSays(commands: string, expected: string): Promise<void> {
  const line = await lab.api.open("vmConsole", { params, query: { user: "test" } });
  try {
    let said = "";
    const heard = new Wakeup();
    line.on("message", (data, isBinary) => {
      if (isBinary) said += (data as Buffer).toString("utf8");
      heard.wake();
    });
    line.resume();
    while (!said.includes(expected)) {
      line.send(Buffer.from(`${commands}\n`), { binary: true });
      await heard.next(2000);
      // The guest answers in several parts, and finds a device a moment after it is there.
      await until(() => (said.includes(expected) ? true : null), { everyMs: 50, limitMs: 1000 });
    }
  } finally {
    line.terminate();
  }
}

const add = (sizeMib: number, name: string) =>
  lab.api.call("vmDiskAdd", { params, body: { sizeMib, name, format: "qcow2" } });
const remove = (disk: string) =>
  lab.api.call("vmDiskRemove", { params: { ...params, disk }, query: { keepFile: "false" } });
const setNic = (nic: string, body: { portGroup?: string; connected?: boolean }) =>
  lab.succeeded(lab.api.call("vmNicSet", { params: { ...params, nic }, body }));
/** The host's agent answers the server again. */
async function answers(): Promise<void> {
  const isBack = async () => (await lab.api.call("vmDiskList", { params })).current;
  await until(isBack, { everyMs: 200, limitMs: 60_000 }); // a line that was cut is found so when it is used
}
const image = (name: string) => join(lab.lab.sharedFolder, `web-1/${name}`);
const move = (to: string) =>
  lab.succeeded(lab.api.call("vmMigrate", { params, body: { to, maxOutageMs: 2000 } }));

/** The devices of the one QEMU that stand behind PCIe root ports, as it was started with them. */
async function behindPorts(): Promise<string[]> {
  const [qemu] = await qemuProcessesOf(lab.lab);
  const words = (await processArguments(qemu?.pid ?? 0)) ?? [];
  return words.flatMap((word) => /id=([\w.-]+),.*bus=(port\.\d)/.exec(word)?.slice(1, 3).join(" ") ?? []);
}

/** The bridge of a tap of the VM on host a, by the host's own table; null: in none. */
async function bridgeOf(number: number): Promise<string | null> {
  const { stdout } = await run("ip", ["-n", lab.lab.namespace("a"), "-j", "link", "show", "type", "tun"], {
    what: "looking at taps",
  });
  const taps = JSON.parse(stdout) as { ifname: string; master?: string }[];
  const [tap] = taps.filter(({ ifname }) => ifname.endsWith(String(number)));
  if (tap === undefined) throw new Error(`there is no tap ${String(number)}`);
  return tap.master ?? null;
}

test("a disk and a NIC come while the guest runs, move with it, and go again", async () => {
  await using load = await lab.load();
  await lab.succeeded(add(32, "more"));
  await lab.succeeded(lab.api.call("vmNicAdd", { params, body: { portGroup: "office" } }));
  await guestSays("echo size-$(cat /sys/block/vdb/size)-", `size-${String(32 * 2048)}-`);
  const { mac } = (await lab.vm("web-1")).config.nics[1] ?? {};
  await guestSays("echo mac-$(cat /sys/class/net/eth1/address)-", `mac-${mac ?? "none"}-`);
  await guestSays("echo wrote-$((6*7)) | dd of=/dev/vdb conv=fsync; head -c 8 /dev/vdb", "wrote-42");
  await move("b");
  expect(await behindPorts()).toEqual(["more port.0", "nic.1 port.1"]);
  await lab.succeeded(
    lab.api.call("vmDiskResize", { params: { ...params, disk: "more" }, body: { sizeMib: 40 } }),
  );
  await guestSays("echo size-$(cat /sys/block/vdb/size)-", `size-${String(40 * 2048)}-`);
  await move("a");
  await guestSays("echo 3 >/proc/sys/vm/drop_caches; head -c 8 /dev/vdb", "wrote-42");

  await lab.api.call("switchAdd", { body: { name: "cellar", uplink: null } });
  await lab.api.call("networkAdd", { body: { name: "inner", switch: "cellar" } });
  const before = await bridgeOf(1);
  await setNic("1", { portGroup: "inner" });
  expect(await bridgeOf(1)).not.toBe(before);
  await guestSays("ip link set eth1 up; echo link-$(cat /sys/class/net/eth1/carrier)-", "link-1-");
  const check = () => lab.api.call("vmCheck", { params, body: { to: "b" } });
  expect(await check()).toMatchObject({ allowed: false });
  await setNic("1", { connected: false });
  expect(await bridgeOf(1)).toBeNull();
  await guestSays("echo link-$(cat /sys/class/net/eth1/carrier)-", "link-0-");
  const { allowed, findings } = await check();
  expect([allowed, findings.map(({ code }) => code)]).toEqual([
    true,
    expect.arrayContaining(["NETWORK_INTERNAL"]) as string[],
  ]);

  await lab.succeeded(lab.api.call("vmNicRemove", { params: { ...params, nic: "1" } }));
  await lab.succeeded(remove("more"));
  await guestSays("echo left-$(ls /dev | grep -c vdb)-$(ls /sys/class/net | grep -c eth1)-", "left-0-0-");
  expect(existsSync(image("more.qcow2"))).toBe(false);
  const { config } = await lab.vm("web-1");
  expect([config.disks.map(({ name }) => name), config.nics.length]).toEqual([["data"], 1]);
  expect(await lab.settled(1)).toEqual([]);
  const refused = await lab.ended(remove("data"));
  expect(refused.error?.code).toBe("DEVICE_NOT_REMOVABLE");
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0, reconnects: 0 });
});

test("an agent that is killed while a disk comes, or goes, leaves nothing half done", async () => {
  const host = lab.lab.host("a");
  const adding = await add(32, "other");
  await until(() => (existsSync(image("other.qcow2")) ? true : null), { everyMs: 1, limitMs: 60_000 });
  await host.endAgent();
  await host.startAgent();
  await answers();
  await lab.succeeded(Promise.resolve(adding));
  await guestSays("echo size-$(cat /sys/block/vdb/size)-", `size-${String(32 * 2048)}-`);

  // A guest that stands still lets nothing go: the agent waits for it, and is killed.
  await lab.succeeded(lab.api.call("vmPause", { params }));
  const removing = await remove("other");
  await until(() => (existsSync(image(".godwit-disk-change")) ? true : null), {
    everyMs: 20,
    limitMs: 60_000,
  });
  await host.endAgent();
  const [rescue = ""] = globSync("run/**/rescue.sock", { cwd: host.folder });
  const session = await QmpSession.connect(join(host.folder, rescue));
  // Asked again, whether the agent had come to it or not.
  await session.execute("device_del", { id: "other" }).catch(() => undefined);
  await session.execute("cont");
  session.close();
  await host.startAgent();
  await answers();
  await lab.succeeded(Promise.resolve(removing));
  await guestSays("echo left-$(ls /dev | grep -c vdb)-", "left-0-");
  expect([existsSync(image("other.qcow2")), existsSync(image(".godwit-disk-change"))]).toEqual([
    false,
    false,
  ]);
  const stored = JSON.parse(await readFile(image("vm.json"), "utf8")) as { disks: { name: string }[] };
  expect(stored.disks.map(({ name }) => name)).toEqual(["data"]);
});

test("a disk whose image is long in coming is cancelled: nothing is left of it, and the VM is as it was, also when its agent is killed", async () => {
  // All holes: it takes no room, and minutes to read.
  const large = join(lab.lab.sharedFolder, "large.raw");
  await writeFile(large, "");
  await truncate(large, 256 * 2 ** 30);
  const before = await readFile(image("vm.json"), "utf8");
  const imageChecksum = `sha256:${"0".repeat(64)}`;
  const body = { name: "large", image: "large.raw", format: "raw" as const, imageChecksum };
  const host = lab.lab.host("a");
  for (const killed of [false, true]) {
    const adding = await lab.api.call("vmDiskAdd", { params, body });
    await until(() => (existsSync(image(".godwit-disk-change")) ? true : null), {
      everyMs: 20,
      limitMs: 60_000,
    });
    if (killed) await host.endAgent();
    await lab.api.call("taskCancel", { params: { task: adding.id } });
    if (killed) await host.startAgent();
    expect(await lab.ended(adding)).toMatchObject({
      state: "cancelled",
      error: { code: "DISK_ADD_CANCELLED" },
    });
    expect(await readFile(image("vm.json"), "utf8")).toBe(before);
    expect(globSync("{.,}*large*", { cwd: image("") })).toEqual([]);
    expect(existsSync(image(".godwit-disk-change"))).toBe(false);
  }
  await answers();
  await lab.succeeded(add(16, "next"));
  const removing = await remove("next");
  await expect(lab.api.call("taskCancel", { params: { task: removing.id } })).rejects.toMatchObject({
    code: "TASK_NOT_CANCELLABLE",
  });
  await lab.succeeded(Promise.resolve(removing));
});

test("a VM that is deleted takes an image along whose removal was cut off", async () => {
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  const { datastore } = (await lab.vm("web-1")).config;
  await writeFile(image("gone.raw"), "");
  const note = { version: 1, disk: "gone", datastore, path: "web-1/gone.raw" };
  await writeFile(image(".godwit-disk-change"), JSON.stringify(note));
  await lab.succeeded(lab.api.call("vmDelete", { params, query: { disks: "all" } }));
  expect(existsSync(image(""))).toBe(false);
});
