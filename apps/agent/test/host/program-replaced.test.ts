/** A program that was upgraded below its running process is known as that. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isProgramReplaced } from "../../src/host/vms.ts";

test("a process whose program was replaced as dpkg does it is told from one that runs what is installed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "godwit-replaced-"));
  const program = join(folder, "qemu");
  await copyFile("/bin/sleep", program);
  const child = spawn(program, ["60"]);
  try {
    await once(child, "spawn");
    const pid = child.pid ?? 0;
    expect(isProgramReplaced(pid)).toBe(false);
    await copyFile("/bin/sleep", `${program}.dpkg-new`);
    await rename(`${program}.dpkg-new`, program);
    expect(isProgramReplaced(pid)).toBe(true);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
    await rm(folder, { recursive: true });
  }
  expect(isProgramReplaced(child.pid ?? 0)).toBeNull();
});
