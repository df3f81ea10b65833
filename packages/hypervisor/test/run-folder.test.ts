/**
 * The run folder of a VM's QEMU: QEMU's user can change nothing in it; and what is found in it that cannot be relied
 * on concerns that one VM, whose process is left alone, as is every other process.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, lstat, mkdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { identifyProcess, isAlive, userIds, type ProcessIdentity } from "@godwit/system";
import type { QemuProcess } from "../src/index.ts";
import { Fixture, user } from "./fixtures.ts";

let fixture: Fixture;
let qemu: QemuProcess;
const others: { kill: () => void }[] = [];

async function start(binary: string): Promise<void> {
  fixture = await Fixture.make(binary);
  qemu = await (await fixture.hypervisor("a")).start(fixture.spec(false));
  await qemu.resume();
}
afterEach(async () => {
  for (const other of others.splice(0)) other.kill();
  await qemu.kill().catch(() => undefined);
  await fixture[Symbol.asyncDispose]();
});

const adopt = async () => await (await fixture.hypervisor("a")).adopt();

/** Tries to do something in the run folder as QEMU's user. @returns whether it could */
function asQemu(...argv: string[]): boolean {
  try {
    execFileSync("setpriv", ["--reuid", user, "--regid", user, "--clear-groups", "--", ...argv], {
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
}

/** A process that has nothing to do with it. */
async function bystander(): Promise<ProcessIdentity> {
  const child = spawn("sleep", ["600"], { stdio: "ignore" });
  others.push({ kill: () => child.kill("SIGKILL") });
  await once(child, "spawn");
  const identity = await identifyProcess(child.pid ?? 0);
  if (identity === null) throw new Error("it ended at once");
  return identity;
}

async function forge(change: (runtime: Record<string, unknown>) => unknown): Promise<void> {
  const runtime = JSON.parse(await readFile(qemu.paths.runtime, "utf8")) as Record<string, unknown>;
  await writeFile(qemu.paths.runtime, JSON.stringify(change(runtime)), { mode: 0o600 });
}

describe.each(inject("qemuBinaries"))("%s", (binary) => {
  beforeEach(async () => {
    await start(binary);
  });

  test("QEMU's user can change, replace and connect to nothing in it, and QEMU still says all that it says", async () => {
    const { folder, log, qmp, rescue, runtime, serialLog, serialSocket, pidFile } = qemu.paths;
    expect(await stat(folder)).toMatchObject({ uid: 0, gid: (await userIds(user)).gid });
    expect(((await stat(folder)).mode & 0o777).toString(8)).toBe("710");
    for (const path of [log, qmp, rescue, runtime, serialLog, serialSocket, pidFile]) {
      const { uid, mode } = await lstat(path);
      expect([path, uid, (mode & 0o777).toString(8)]).toEqual([path, 0, "600"]);
      expect(asQemu("rm", path)).toBe(false);
      expect(asQemu("sh", "-c", `echo '{}' >> ${path}`)).toBe(false);
    }
    expect(asQemu("ls", folder)).toBe(false);
    expect(asQemu("ln", "-s", "/etc/cron.d/x", join(folder, "x"))).toBe(false);
    expect(asQemu("mv", folder, `${folder}.old`)).toBe(false);
    expect(Number(await readFile(pidFile, "utf8"))).toBe(qemu.identity.pid);
    // What the machine's own devices say arrives: the descriptor of the log is QEMU's.
    expect(await readFile(`/proc/${String(qemu.identity.pid)}/cmdline`, "utf8")).not.toContain(folder);
    await qemu.end();
    await expect(lstat(folder)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test.each([
    ["{}", () => ({}), /runtime\.json is not valid/],
    ["another VM's", (runtime: Record<string, unknown>) => withVm(runtime), /runtime\.json is of VM/],
  ])("%s in runtime.json quarantines the VM, and its QEMU runs on", async (_, change, words) => {
    await forge(change);
    qemu.release();
    const found = await adopt();
    expect(found).toMatchObject({ processes: [], ended: [], unresponsive: [] });
    const [{ vmId, error } = { vmId: "", error: null }] = found.quarantined;
    expect(vmId).toBe(qemu.vmId);
    expect(error).toMatchObject({
      code: "VM_RUN_FOLDER_INVALID",
      message: expect.stringMatching(words) as string,
    });
    expect(error?.remedy).toContain(qemu.paths.folder);
    expect(await isAlive(qemu.identity)).toBe(true);
    expect((await lstat(qemu.paths.folder)).isDirectory()).toBe(true);
  });

  test("a forged pid, or start time, never ends a process and never tells a VM that runs as ended", async () => {
    const identity = await bystander();
    qemu.release();
    await forge((runtime) => ({ ...runtime, identity }));
    expect((await adopt()).quarantined).toMatchObject([
      {
        error: {
          message: expect.stringContaining(`process ${String(identity.pid)} is not its QEMU`) as string,
        },
      },
    ]);
    await forge((runtime) => ({ ...runtime, identity: { ...qemu.identity, startTicks: 1 } }));
    expect(await adopt()).toMatchObject({
      ended: [],
      quarantined: [{ error: { message: expect.stringContaining("somebody listens") as string } }],
    });
    // A start that was cut off, with another's pid.
    await rm(qemu.paths.runtime);
    await writeFile(qemu.paths.pidFile, String(identity.pid));
    await adopt();
    expect(await isAlive(identity)).toBe(true);
    expect(await isAlive(qemu.identity)).toBe(true);
  });

  test("one VM is looked at again: repaired it is taken up, and without its folder it is gone only when its QEMU is", async () => {
    const intact = await readFile(qemu.paths.runtime, "utf8");
    qemu.release();
    const adoptOne = async () => await (await fixture.hypervisor("a")).adoptOne(qemu.vmId);
    await forge(() => ({}));
    expect(await adoptOne()).toMatchObject({ processes: [], quarantined: [{ vmId: qemu.vmId }] });
    await writeFile(qemu.paths.runtime, intact, { mode: 0o600 });
    const repaired = await adoptOne();
    expect(repaired).toMatchObject({ quarantined: [], processes: [{ identity: qemu.identity }] });
    for (const process of repaired.processes) process.release();

    await rm(qemu.paths.runtime);
    expect(await adoptOne()).toMatchObject({
      ended: [],
      quarantined: [
        {
          error: {
            message: expect.stringContaining(`process ${String(qemu.identity.pid)} is its QEMU`) as string,
          },
        },
      ],
    });
    expect(await isAlive(qemu.identity)).toBe(true);
    process.kill(qemu.identity.pid, "SIGKILL");
    await expect.poll(() => isAlive(qemu.identity)).toBe(false);
    expect(await adoptOne()).toEqual({ processes: [], ended: [], unresponsive: [], quarantined: [] });
    await expect(lstat(qemu.paths.folder)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("a folder of an earlier agent is taken over: what its QEMU's user put there is not followed", async () => {
    const { folder, log, runtime, serialLog } = qemu.paths;
    const { uid, gid } = await userIds(user);
    const target = join(fixture.folder, "cron.d-x");
    await writeFile(target, "of root\n");
    await chown(folder, uid, gid);
    await chmod(folder, 0o750);
    expect(asQemu("rm", "-f", log)).toBe(true);
    expect(asQemu("ln", "-s", target, log)).toBe(true);
    await chown(serialLog, uid, gid);
    qemu.release();
    const { processes, quarantined } = await adopt();
    expect(quarantined).toEqual([]);
    expect(processes).toHaveLength(1);
    expect((await stat(folder)).uid).toBe(0);
    expect((await stat(serialLog)).uid).toBe(0);
    await expect(lstat(log)).rejects.toMatchObject({ code: "ENOENT" });
    processes[0]?.release();

    await chown(folder, uid, gid);
    await chmod(folder, 0o750);
    expect(asQemu("sh", "-c", `rm -f ${runtime} && echo '{"pid":1}' > ${runtime}`)).toBe(true);
    const again = await adopt();
    expect(again).toMatchObject({
      processes: [],
      ended: [],
      quarantined: [
        { error: { message: expect.stringContaining(`belongs to user ${String(uid)}`) as string } },
      ],
    });
    expect(await readFile(target, "utf8")).toBe("of root\n");
    expect(await isAlive(qemu.identity)).toBe(true);
  });
});

test("what is no VM's folder is passed over, and what is none at all concerns only itself", async () => {
  await start(inject("qemuBinaries")[0] ?? "");
  const vms = join(fixture.folder, "run-a/vms");
  await mkdir(join(vms, "notes"));
  await symlink("/etc", join(vms, "00000000-0000-4000-8000-000000000001"));
  await writeFile(join(vms, "00000000-0000-4000-8000-000000000002"), "");
  qemu.release();
  const { processes, quarantined } = await adopt();
  expect(processes).toHaveLength(1);
  expect(quarantined.map(({ vmId }) => vmId.at(-1)).sort()).toEqual(["1", "2"]);
  processes[0]?.release();
});

function withVm(runtime: Record<string, unknown>): unknown {
  const spec = runtime.spec as { vm: object };
  return {
    ...runtime,
    spec: { ...spec, vm: { ...spec.vm, id: "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a12" } },
  };
}
