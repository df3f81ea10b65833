/**
 * A VM with a TPM: its guest finds it and measures into it, it moves, and what the TPM holds is there at the other host and after a
 * power-off. Its process is the VM's user's, without a network, and goes with QEMU. That it has ended is seen. A move to a host
 * without the emulator, or with its disks to a datastore of one host, is refused before it starts.
 */
import { globSync } from "node:fs";
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { qemuProcessesOf } from "@godwit/lab";
import { run, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

/**
 * Commands of the TPM 2.0, with an empty password: extends register 15 once a boot; writes to its memory what no other boot would,
 * where that memory is not reserved yet. Then says what both are, again and again.
 */
const userData = `#!/bin/sh
cat >/tmp/tpm.pl <<'END'
sub tpm {
    my ($code, $handles, $parameters) = @_;
    my $auth = pack 'H*', '00000009400000090000000000';
    my $body = pack('H*', $handles) . $auth . pack('H*', $parameters);
    open my $tpm, '+<', '/dev/tpm0' or die "tpm0: $!";
    syswrite $tpm, pack('n N N', 0x8002, 10 + length $body, $code) . $body;
    sysread $tpm, my $answer, 4096;
    return unpack 'H*', $answer;
}
my ($memory, $read) = ('4000000101500000', sub { tpm(0x14e, '4000000101500000', '00080000') });
if (@ARGV) {
    tpm(0x182, '0000000f', '00000001000b' . '67' x 32);
    tpm(0x12a, '40000001', '0000000e01500000000b0006000600000008');
    if ($read->() =~ /0000014a$/) {    # nothing is written there yet
        open my $random, '<', '/dev/urandom';
        sysread $random, my $bytes, 8;
        tpm(0x137, $memory, '0008' . unpack('H*', $bytes) . '0000');
    }
} else {
    print 'memory: ', $read->() =~ /^8002.{8}00000000.{8}0008(.{16})/, "\\n";
}
END
perl /tmp/tpm.pl begin
while :; do
  echo "register: $(cat /sys/class/tpm/tpm0/pcr-sha256/15) $(perl /tmp/tpm.pl)"
  sleep 0.5
done
`;

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"], localDatastore: true });
  await lab.boot({ on: "a", tpm: true, cloudInit: { userData } });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const params = { vm: "web-1" };
const state = () => join(lab.lab.sharedFolder, "web-1/tpm/tpm2-00.permall");

async function said(host: string): Promise<string> {
  const files = globSync(`hosts/${host}/run/**/serial.log`, { cwd: lab.lab.folder });
  return (await Promise.all(files.map((file) => readFile(join(lab.lab.folder, file), "latin1")))).join("");
}

/** What the guest reads of its TPM on this host from now on; it tells its console only. */
async function contents(host: string): Promise<string | null> {
  const before = (await said(host)).length;
  return await until(
    async () =>
      /register: ([0-9A-F]{64} memory: [0-9a-f]{16})/.exec((await said(host)).slice(before))?.[1] ?? null,
    {
      everyMs: 200,
      limitMs: 120_000,
    },
  );
}

/** The process of the VM's TPM, by the host's own table: a child of its QEMU. */
async function tpm(): Promise<{ pid: number; qemu: number }> {
  const [qemu] = await qemuProcessesOf(lab.lab);
  const children = await readFile(`/proc/${String(qemu?.pid)}/task/${String(qemu?.pid)}/children`, "utf8");
  return { pid: Number(children.trim().split(" ")[0]), qemu: qemu?.pid ?? 0 };
}
const uidOf = async (pid: number) =>
  /^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${String(pid)}/status`, "utf8"))?.[1];
/** Whether a process runs, and is not only waiting for somebody to ask how it ended. */
const lives = async (pid: number) =>
  !/\) [ZX] /.test(await readFile(`/proc/${String(pid)}/stat`, "utf8").catch(() => ") X "));
const check = async (to: string, datastore?: string) =>
  (await lab.findings("web-1", to, datastore)).map(({ code }) => code);

let extended = "";

test("the guest finds the TPM; its process is confined, and its state the VM's own", async () => {
  extended = (await contents("a")) ?? "";
  expect(extended).toMatch(/[1-9A-F]/);
  const { pid, qemu } = await tpm();
  expect(await readlink(`/proc/${String(pid)}/exe`)).toBe("/usr/bin/swtpm");
  expect(await uidOf(pid)).toBe(await uidOf(qemu));
  const devices = await readFile(`/proc/${String(pid)}/net/dev`, "utf8");
  expect(devices.match(/^\s*\w+:/gm)).toEqual(["    lo:"]);
  const { uid, mode } = await stat(state());
  expect([String(uid), mode & 0o7777]).toEqual([await uidOf(qemu), 0o600]);
});

test("it moves with the VM: the guest reads the same, and nothing of the source writes to its state any more", async () => {
  const before = await readFile(state());
  const source = await tpm();
  await lab.succeeded(lab.api.call("vmMigrate", { params, body: { to: "b", maxOutageMs: 2000 } }));
  expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["b"]);
  expect(await contents("b")).toBe(extended);
  expect(await readFile(state())).toEqual(before);
  await expect.poll(() => lives(source.pid), { timeout: 60_000 }).toBe(false);
  await lab.succeeded(lab.api.call("vmMigrate", { params, body: { to: "a", maxOutageMs: 2000 } }));
  expect(await contents("a")).toBe(extended);
});

test("a snapshot with memory has what the TPM remembers then", async () => {
  const order = { name: "before", memory: true };
  await lab.succeeded(lab.api.call("vmSnapshotCreate", { params, body: order }));
  const kept = await readFile(state());
  expect(await contents("a")).toBe(extended);
  const reverted = { params: { ...params, snapshot: "before" }, body: {} };
  await lab.succeeded(lab.api.call("vmSnapshotRevert", reverted));
  expect(await contents("a")).toBe(extended);
  expect(await readFile(state())).toEqual(kept);
  await lab.succeeded(lab.api.call("vmSnapshotDelete", { params: { ...params, snapshot: "before" } }));
});

test("a move to a host without the emulator is refused before it starts", async () => {
  const agent = lab.lab.host("b").agent?.pid ?? 0;
  const inHost = async (...words: string[]) =>
    await run("nsenter", ["-t", String(agent), "-m", "--", ...words], { what: "hiding swtpm from a host" });
  await inHost("mount", "--bind", "/dev/null", "/usr/bin/swtpm");
  try {
    await expect.poll(() => check("b"), { timeout: 60_000 }).toContain("TPM_UNAVAILABLE");
    await expect(lab.api.call("vmMigrate", { params, body: { to: "b" } })).rejects.toMatchObject({
      code: "MOVE_REFUSED",
    });
  } finally {
    await inHost("umount", "/usr/bin/swtpm");
  }
  await expect.poll(() => check("b"), { timeout: 60_000 }).toEqual([]);
  expect(await check("b", "local")).toContain("MOVE_TPM_STAYS");
});

test("a TPM that has ended is an alarm and forbids the move; a start brings it back with its state", async () => {
  const { pid } = await tpm();
  process.kill(pid, "SIGKILL");
  await expect.poll(() => check("b"), { timeout: 60_000 }).toEqual(["TPM_ENDED"]);
  const alarms = async () =>
    (await lab.api.call("hostShow", { params: { host: "a" } })).alarms.map(({ code }) => code);
  await expect.poll(alarms, { timeout: 60_000 }).toContain("TPM_ENDED");
  await expect(lab.api.call("vmSet", { params, body: { tpm: false } })).rejects.toMatchObject({
    code: "VM_RUNNING",
  });
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  await lab.succeeded(lab.api.call("vmSet", { params, body: { tpm: false } }));
  await lab.succeeded(lab.api.call("vmSet", { params, body: { tpm: true } }));
  const kept = await readFile(state());
  await lab.succeeded(lab.api.call("vmClone", { params, body: { name: "web-2" } }));
  expect(await readdir(join(lab.lab.sharedFolder, "web-2/tpm"))).toEqual([]);
  expect(await readFile(state())).toEqual(kept);
  await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
  expect(await contents("a")).toBe(extended);
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  await lab.succeeded(lab.api.call("vmDelete", { params, query: { disks: "all" } }));
  expect(await readdir(lab.lab.sharedFolder)).not.toContain("web-1");
});
