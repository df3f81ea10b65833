/**
 * QEMU runs as a user of its own, who may do post-copies only where the host allows every user userfaultfd. That is one setting of the whole machine, and
 * tests run side by side, each in a process of its own: it is allowed as long as one of them needs it, and then as it was before. A kernel that has
 * no such setting allows it.
 */
import { mkdir, readdir, readFile, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { identifyProcess, isAlive, readFileOrNull, sleep } from "@godwit/system";

const setting = "/proc/sys/vm/unprivileged_userfaultfd";
/** What it was before, and a file for each process that needs it; emptied by a boot, as the setting is. */
const folder = "/run/godwit-tests-userfaultfd";
const before = join(folder, "before");
const lock = "/run/godwit-tests-userfaultfd.lock";
/** It is held for a few system calls: one that is older was left by a process that was killed. */
const staleMs = 10_000;

/** @returns a function that gives it back */
export async function allowUserfaultfd(): Promise<() => Promise<void>> {
  const now = await readFileOrNull(setting);
  if (now === null) return () => Promise.resolve();
  const own = join(folder, String(process.pid));
  await locked(async () => {
    await mkdir(folder, { recursive: true });
    if ((await readFileOrNull(before)) === null) await writeFile(before, now);
    await writeFile(own, "");
    await writeFile(setting, "1");
  });
  return async () => {
    await locked(async () => {
      await rm(own, { force: true });
      if (await isNeeded()) return;
      await writeFile(setting, await readFile(before, "utf8"));
      await rm(folder, { recursive: true });
    });
  };
}

async function isNeeded(): Promise<boolean> {
  for (const name of await readdir(folder)) {
    const other = name === "before" ? null : await identifyProcess(Number(name));
    if (other !== null && (await isAlive(other))) return true;
  }
  return false;
}

async function locked(work: () => Promise<void>): Promise<void> {
  for (;;) {
    const isMine = await mkdir(lock).then(
      () => true,
      () => false,
    );
    if (isMine) break;
    const made = await stat(lock).catch(() => null);
    if (made !== null && Date.now() - made.mtimeMs > staleMs) await rmdir(lock).catch(() => undefined);
    await sleep(20);
  }
  try {
    await work();
  } finally {
    await rmdir(lock).catch(() => undefined);
  }
}
