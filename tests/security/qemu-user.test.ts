/**
 * Somebody has got out of a guest and is QEMU's user. In the VM's run folder there is nothing for him to change; and
 * what may stand there all the same (an earlier agent's folder, a damaged file) harms neither the host nor another
 * process: it concerns that one VM, which is left as it runs.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { identifyProcess, isAlive, until, userIds } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const user = "godwit-qemu";

test("a link at qemu.log, a forged pid and a broken runtime.json: root writes and ends nothing, and the agent starts", async () => {
  await using lab = await TestLab.start({ hosts: ["a"] });
  const vm = await lab.boot({ on: "a" });
  const host = lab.lab.host("a");
  const folder = join(host.folder, "run/godwit/vms", vm.id);
  const [log, runtime] = [join(folder, "qemu.log"), join(folder, "runtime.json")];
  const asQemu = async (...argv: string[]) => {
    const child = spawn("setpriv", ["--reuid", user, "--regid", user, "--clear-groups", "--", ...argv]);
    return ((await once(child, "exit")) as [number | null])[0] === 0;
  };
  const restarted = async () => {
    await host.endAgent();
    await host.startAgent();
  };
  /** As soon as the server has found the agent again, which it tries now and then. */
  const stopped = async () => {
    const begin = () => lab.api.call("vmStop", { params: { vm: "web-1" }, body: {} }).catch(() => null);
    const task = await until(begin, { everyMs: 500, limitMs: 30_000 });
    if (task === null) throw new Error("the server does not find the agent");
    return await lab.ended(task);
  };

  // In the folder as it is.
  expect(await asQemu("ln", "-sf", "/etc/cron.d/x", log)).toBe(false);
  expect(await asQemu("rm", "-f", runtime)).toBe(false);
  expect(await asQemu("ls", folder)).toBe(false);

  // In one of an agent that gave it to QEMU's user.
  const { uid, gid } = await userIds(user);
  const cron = join(host.folder, "state", "cron.d-x");
  await writeFile(cron, "of root\n", { mode: 0o600 });
  await host.endAgent();
  await chown(folder, uid, gid);
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
      (await lab.api.call("hostShow", { params: { host: "a" } })).facts?.failures.some(
        ({ part, reason }) => part === `VM ${vm.id}` && reason.includes("runtime.json is not valid"),
      );
    expect(await until(isReported, { everyMs: 500, limitMs: 30_000 })).toBe(true);

    // Put right, everything works again.
    await writeFile(runtime, intact, { mode: 0o600 });
    await restarted();
    expect(await stopped()).toMatchObject({ state: "succeeded" });
    expect(await lab.runnersOf(vm)).toEqual([]);
    expect(await isAlive(identity)).toBe(true);
  } finally {
    bystander.kill("SIGKILL");
  }
  expect(await readFile(cron, "utf8")).toBe("of root\n");
});
