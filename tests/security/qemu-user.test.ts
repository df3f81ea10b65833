/**
 * Somebody has got out of a guest and is its QEMU's user, whom no other VM has. He opens neither another VM's disk nor
 * the credentials of migration streams, on whichever host. In the VM's run folder there is nothing for him to change; and
 * what may stand there all the same (an earlier agent's folder, a damaged file) harms neither the host nor another
 * process: it concerns that one VM, which is left as it runs.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { qemuProcessesOf } from "@godwit/lab";
import { identifyProcess, isAlive, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"] });
  await lab.boot({ on: "b" });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** As a user without a name or further groups. @returns whether the program succeeded */
async function as(uid: number, ...argv: string[]): Promise<boolean> {
  const ids = ["--reuid", String(uid), "--regid", String(uid), "--clear-groups", "--"];
  const child = spawn("setpriv", [...ids, ...argv], { stdio: "ignore" });
  return ((await once(child, "exit")) as [number | null])[0] === 0;
}

/** Real, effective, saved and file-system uid of the QEMU of web-1, as the kernel has them. */
async function uidsOf(host: string): Promise<number[]> {
  const vm = await lab.vm("web-1");
  const found = (await qemuProcessesOf(lab.lab)).filter((one) => one.vmId === vm.id && one.host === host);
  expect(found).toHaveLength(1);
  const status = await readFile(`/proc/${String(found[0]?.pid)}/status`, "utf8");
  return (/^Uid:\s+(.*)$/m.exec(status)?.[1] ?? "").split(/\s+/).map(Number);
}

test("a VM's QEMU has one uid on every host, to which its disks are open and no other VM's are", async () => {
  const show = () => lab.api.call("vmShow", { params: { vm: "web-1" } });
  const { config } = await show();
  const uid = (await uidsOf("b"))[0] ?? 0;
  expect(uid).toBeGreaterThanOrEqual(2_010_000_000);
  await expect.poll(async () => (await show()).user).toEqual({ uid, sharedBecause: null });
  const neighbour = uid + 1;
  const disk = join(lab.lab.sharedFolder, config.disks[0]?.path ?? "");
  expect(await stat(disk)).toMatchObject({ uid, gid: uid, mode: 0o100600 });
  expect(await as(uid, "cat", disk)).toBe(true);
  expect(await as(neighbour, "cat", disk)).toBe(false);
  for (const { stateFolder } of lab.lab.hosts) {
    const key = join(stateFolder, "agent/pki/migration/client-key.pem");
    expect(await stat(key)).toMatchObject({ uid: 0, mode: 0o100600 });
    for (const one of [uid, neighbour]) expect(await as(one, "cat", key)).toBe(false);
  }

  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "a" } }));
  expect(await uidsOf("a")).toEqual([uid, uid, uid, uid]);
  expect(await stat(disk)).toMatchObject({ uid, gid: uid, mode: 0o100600 });

  // Somebody has given it to another user: that is found before memory is copied, and the VM runs on.
  await chown(disk, 0, 0);
  const { error } = await lab.ended(
    lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } }),
  );
  expect(error).toMatchObject({
    code: "DISK_PERMISSION_DENIED",
    detail: expect.stringMatching(
      new RegExp(
        `^QEMU on host b cannot open disk data of VM web-1 .* as uid ${String(uid)}: Permission denied`,
      ),
    ) as string,
  });
  expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["a"]);
  // The next start puts it right; this test goes on as before.
  await chown(disk, uid, uid);
});

test("a link at qemu.log, a forged pid and a broken runtime.json: root writes and ends nothing, and the agent starts", async () => {
  const vm = await lab.vm("web-1");
  const host = lab.lab.host("a");
  const folder = join(host.folder, "run/godwit/vms", vm.id);
  const [log, runtime] = [join(folder, "qemu.log"), join(folder, "runtime.json")];
  const [uid = 0] = await uidsOf("a");
  const asQemu = (...argv: string[]) => as(uid, ...argv);
  const restarted = async () => {
    await host.endAgent();
    await host.startAgent();
  };
  /** As soon as the server has found the agent again, which it tries now and then. */
  const stopped = async () => {
    const begin = () => lab.api.call("vmStop", { params: { vm: "web-1" }, body: {} }).catch(() => null);
    const task = await until(begin, { everyMs: 500, limitMs: 60_000 });
    if (task === null) throw new Error("the server does not find the agent");
    return await lab.ended(task);
  };

  // In the folder as it is.
  expect(await asQemu("ln", "-sf", "/etc/cron.d/x", log)).toBe(false);
  expect(await asQemu("rm", "-f", runtime)).toBe(false);
  expect(await asQemu("ls", folder)).toBe(false);

  // In one of an agent that gave it to QEMU's user.
  const cron = join(host.folder, "state", "cron.d-x");
  await writeFile(cron, "of root\n", { mode: 0o600 });
  await host.endAgent();
  await chown(folder, uid, uid);
  await chmod(folder, 0o750);
  await rm(log);
  await symlink(cron, log);
  await host.startAgent();
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  expect(await asQemu("ls", folder)).toBe(false);

  // The pid of a process that has nothing to do with it.
  const bystander = spawn("sleep", ["600"], { stdio: "ignore" });
  try {
    await once(bystander, "spawn");
    const identity = await identifyProcess(bystander.pid ?? 0);
    if (identity === null) throw new Error("it ended at once");
    const intact = await readFile(runtime, "utf8");
    await writeFile(runtime, JSON.stringify({ ...(JSON.parse(intact) as object), identity }));
    await restarted();
    expect(await isAlive(identity)).toBe(true);
    expect(await lab.runnersOf(vm)).toEqual(["a"]);
    expect(await stopped()).toMatchObject({
      state: "failed",
      error: { code: "VM_BUSY", detail: expect.stringContaining("is not its QEMU") as string },
    });

    await writeFile(runtime, "{}");
    await restarted();
    expect(await isAlive(identity)).toBe(true);
    expect(await lab.runnersOf(vm)).toEqual(["a"]);
    const isReported = async () =>
      (await lab.api.call("hostShow", { params: { host: "a" } })).alarms.some(
        ({ code, message }) =>
          code === "VM_SET_ASIDE" && message.includes(vm.id) && message.includes("runtime.json is not valid"),
      );
    expect(await until(isReported, { everyMs: 500, limitMs: 60_000 })).toBe(true);

    // Put right, everything works again: the agent looks once more before the command.
    await writeFile(runtime, intact, { mode: 0o600 });
    expect(await stopped()).toMatchObject({ state: "succeeded" });
    expect(await lab.runnersOf(vm)).toEqual([]);
    expect(await isAlive(identity)).toBe(true);
  } finally {
    bystander.kill("SIGKILL");
  }
  expect(await readFile(cron, "utf8")).toBe("of root\n");
});
