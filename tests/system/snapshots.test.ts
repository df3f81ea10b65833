/**
 * Snapshots of a VM whose guest writes: what was there then is there after a revert, and what came later is not; moves between
 * hosts in between lose nothing; a guest with memory goes on, and one whose agent was killed meanwhile is whole.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Task, VmView } from "@godwit/contract";
import { findQemus, qemuProcessesOf, vmAddress } from "@godwit/lab";
import { run, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const params = { vm: "web-1" };

/** Says a word to the guest's database in its inline form. @returns its answer, without the length before it */
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

async function redis(lab: TestLab, ...words: string[]): Promise<string> {
  const inside = ["netns", "exec", lab.lab.namespace("client")];
  const { stdout } = await run("ip", [...inside, "perl", "-e", speaker, vmAddress(0), ...words], {
    what: "asking the guest's database",
  });
  return stdout.trim();
}

const imageOf = (lab: TestLab, vm = "web-1") => join(lab.lab.sharedFolder, vm, "data.qcow2");

/** The tags inside of the disk's image, as qemu-img finds them. */
async function tagsOf(lab: TestLab, vm?: string): Promise<string[]> {
  const words = ["info", "--output=json", "--force-share", imageOf(lab, vm)];
  const { stdout } = await run("qemu-img", words, { what: "reading an image" });
  const { snapshots = [] } = JSON.parse(stdout) as { snapshots?: { name: string }[] };
  return snapshots.map(({ name }) => name);
}

const take = (lab: TestLab, name: string, memory = false) =>
  lab.api.call("vmSnapshotCreate", { params, body: { name, memory } });
const revert = (lab: TestLab, snapshot: string, disksOnly = false) =>
  lab.api.call("vmSnapshotRevert", { params: { ...params, snapshot }, body: { disksOnly } });
const remove = (lab: TestLab, snapshot: string) =>
  lab.api.call("vmSnapshotDelete", { params: { ...params, snapshot } });
const move = (lab: TestLab, to: string) =>
  lab.succeeded(lab.api.call("vmMigrate", { params, body: { to, maxOutageMs: 20_000 } }));
const names = async (lab: TestLab) =>
  (await lab.api.call("vmSnapshotList", { params })).snapshots.map(({ name, current }) => ({
    name,
    current,
  }));

/** The VM is reverted to `cut`, its server is killed as soon as its QEMU is there, and its QEMU when the guest has written. */
async function killedWhileItStarts(lab: TestLab, vm: VmView): Promise<Task> {
  // A server that was started just now asks its hosts first.
  const hostState = async () => (await lab.api.call("hostShow", { params: { host: "a" } })).state;
  await expect.poll(hostState, { timeout: 60_000 }).toBe("connected");
  const task = await revert(lab, "cut");
  await lab.until(task.id, ({ steps }) => steps.some(({ key }) => key === "start"));
  const isThere = async () => (await qemuProcessesOf(lab.lab)).length > 0;
  expect(await until(isThere, { everyMs: 10, limitMs: 60_000 })).toBe(true);
  await lab.lab.server.end("SIGKILL");
  const runs = async () => (await lab.runnersOf(vm)).includes("a");
  expect(await until(runs, { everyMs: 100, limitMs: 60_000 })).toBe(true);
  await redis(lab, "set", "story", "since");
  for (const { pid } of await qemuProcessesOf(lab.lab)) process.kill(pid, "SIGKILL");
  await lab.lab.server.start();
  return await lab.ended(task);
}

const present = await findQemus();
const versions = ["7.2", "10.0"].flatMap((name) =>
  present.filter(({ version }) => version.startsWith(`${name}.`)),
);

test.for(versions)(
  "QEMU $version: the data of then is back, with memory and without, and nothing is lost in between",
  async ({ version }) => {
    await using lab = await TestLab.start({ hosts: ["a", "b"], qemu: { a: version, b: version } });
    const vm = await lab.boot({ on: "a" });
    {
      await using load = await lab.load();
      await redis(lab, "set", "story", "one");
      await lab.succeeded(take(lab, "first"));
      await lab.succeeded(take(lab, "awake", true));
      await redis(lab, "set", "story", "two");
      await move(lab, "b");
      await lab.succeeded(take(lab, "second"));
      await move(lab, "a");
      expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0, reconnects: 0 });
    }
    expect(await names(lab)).toEqual([
      { name: "first", current: false },
      { name: "awake", current: false },
      { name: "second", current: true },
    ]);
    expect(await tagsOf(lab)).toHaveLength(3);
    await expect(take(lab, "first")).rejects.toMatchObject({ code: "SNAPSHOT_EXISTS" });

    // Its guest goes on where it was, on the same host, with the same addresses.
    const before = (await lab.vm("web-1")).config;
    await lab.succeeded(revert(lab, "awake"));
    expect(await lab.runnersOf(vm)).toEqual(["a"]);
    expect(await redis(lab, "get", "story")).toBe("one");
    expect((await lab.vm("web-1")).config.nics).toEqual(before.nics);
    await redis(lab, "set", "story", "three");
    await move(lab, "b");
    expect(await redis(lab, "get", "story")).toBe("three");

    // Of the disks alone: it is stopped, and boots with what they held.
    await lab.succeeded(revert(lab, "second"));
    expect(await lab.runnersOf(vm)).toEqual([]);
    await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
    await using again = await lab.load();
    expect(await redis(lab, "get", "story")).toBe("two");
    await lab.succeeded(remove(lab, "first"));
    expect(await tagsOf(lab)).toHaveLength(2);
    expect(await again.finish([])).toMatchObject({ lost: 0, duplicated: 0 });
  },
);

test("cut off anywhere it is complete or gone, a copy has none, and a disk that runs with some is not copied without them", async () => {
  await using lab = await TestLab.start({ hosts: ["a"] });
  const vm = await lab.boot({ on: "a" });
  const host = lab.lab.host("a");
  await using load = await lab.load();
  await redis(lab, "set", "story", "one");

  // The agent is killed while QEMU writes the guest's memory: it goes on by itself, and the task finds out.
  const cut = await take(lab, "cut", true);
  await lab.until(cut.id, ({ steps }) => steps.some(({ state }) => state === "running"));
  await host.endAgent();
  await host.startAgent();
  expect(await lab.ended(cut)).toMatchObject({ state: "succeeded" });
  expect(await tagsOf(lab)).toHaveLength(1);
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });

  // The server is killed while the guest goes on from its memory. What that writes until its QEMU ends stays, though the task goes on.
  let ended = await killedWhileItStarts(lab, vm);
  // It had the answer already: once more.
  for (let tried = 1; ended.state === "succeeded" && tried < 5; tried++)
    ended = await killedWhileItStarts(lab, vm);
  expect(ended).toMatchObject({ error: { code: "SNAPSHOT_ALREADY_LOADED" } });
  expect(await lab.runnersOf(vm)).toEqual([]);
  await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
  await using since = await lab.load();
  expect(await redis(lab, "get", "story")).toBe("since");
  expect(await since.finish([])).toMatchObject({ lost: 0, duplicated: 0 });

  await expect(
    lab.api.call("vmDisksRelocate", { params, body: { datastore: "elsewhere" } }),
  ).rejects.toMatchObject({ code: "VM_HAS_SNAPSHOTS" });
  await redis(lab, "set", "story", "two");
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  await expect(take(lab, "asleep", true)).rejects.toMatchObject({ code: "SNAPSHOT_MEMORY_STOPPED" });
  await lab.succeeded(take(lab, "asleep"));
  expect(await tagsOf(lab)).toHaveLength(2);

  await lab.succeeded(lab.api.call("vmClone", { params, body: { name: "web-2" } }));
  expect(await tagsOf(lab, "web-2")).toEqual([]);
  expect((await lab.vm("web-2")).config).not.toHaveProperty("snapshots");

  // As an agent leaves it that is killed while it reverts: the VM's next start completes it.
  const file = join(lab.lab.sharedFolder, "web-1/vm.json");
  const stored = JSON.parse(await readFile(file, "utf8")) as { snapshots: { id: string }[] };
  const id = stored.snapshots[0]?.id;
  await writeFile(file, JSON.stringify({ ...stored, revertingTo: id }));
  await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
  await using after = await lab.load();
  expect(await redis(lab, "get", "story")).toBe("one");
  expect(await names(lab)).toMatchObject([
    { name: "cut", current: true },
    { name: "asleep", current: false },
  ]);
  expect(await after.finish([])).toMatchObject({ lost: 0, duplicated: 0 });

  // An image that another program put in the place of the VM's has none of its snapshots: nothing is changed, the VM stays off.
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  const [tag = ""] = await tagsOf(lab);
  await run("qemu-img", ["snapshot", "-d", tag, imageOf(lab)], { what: "taking a snapshot out of an image" });
  expect(await lab.ended(revert(lab, "cut", true))).toMatchObject({ error: { code: "SNAPSHOT_BROKEN" } });
  await lab.succeeded(remove(lab, "cut"));
  expect(await names(lab)).toEqual([{ name: "asleep", current: false }]);
  await lab.succeeded(lab.api.call("vmDelete", { params, query: { disks: "all" } }));
});
