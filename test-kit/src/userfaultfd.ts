/**
 * QEMU runs as a user of its own, who may do post-copies only where the host allows every user userfaultfd. That is one setting of the whole machine, and
 * tests run side by side, each in a process of its own: it is allowed as long as one of them needs it, and then as it was before. A kernel that has
 * no such setting allows it. A test that needs it forbidden waits for those, and those that begin meanwhile wait for it.
 */
import { mkdir, readdir, readFile, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { identifyProcess, isAlive, readFileOrNull, sleep } from "@godwit/system";

const setting = "/proc/sys/vm/unprivileged_userfaultfd";
/** What it was before, and a file for each process that needs it; emptied by a boot, as the setting is. */
const folder = "/run/godwit-tests-userfaultfd";
const before = join(folder, "before");
/** The process that needs it forbidden. */
const forbids = join(folder, "forbids");
const lock = "/run/godwit-tests-userfaultfd.lock";
/** It is held for a few system calls: one that is older was left by a process that was killed. */
const staleMs = 10_000;

/** @returns a function that gives it back */
export async function allowUserfaultfd(): Promise<() => Promise<void>> {
  const now = await readFileOrNull(setting);
  if (now === null) return () => Promise.resolve();
  const own = join(folder, String(process.pid));
  await lockedOnce(
    async () => !(await isForbidden()),
    async () => {
      await begin(now);
      await writeFile(own, "");
      await writeFile(setting, "1");
    },
  );
  return async () => {
    await locked(async () => {
      await rm(own, { force: true });
      if (!(await isNeeded())) await end();
    });
  };
}

/** Until it is given back no test may do post-copies. @returns a function that gives it back; null: this kernel has no such setting */
export async function forbidUserfaultfd(): Promise<(() => Promise<void>) | null> {
  const now = await readFileOrNull(setting);
  if (now === null) return null;
  await lockedOnce(
    async () => !(await isNeeded()) && !(await isForbidden()),
    async () => {
      await begin(now);
      await writeFile(forbids, String(process.pid));
      await writeFile(setting, "0");
    },
  );
  return () => locked(end);
}

/** One that a killed process has left tells what was before it. */
async function begin(now: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  if ((await readFileOrNull(before)) === null) await writeFile(before, now);
}

async function end(): Promise<void> {
  await writeFile(setting, await readFile(before, "utf8"));
  await rm(folder, { recursive: true });
}

async function isNeeded(): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) if (/^\d+$/.test(name) && (await isThere(name))) return true;
  return false;
}

async function isForbidden(): Promise<boolean> {
  const who = await readFileOrNull(forbids);
  return who !== null && (await isThere(who));
}

async function isThere(pid: string): Promise<boolean> {
  const other = await identifyProcess(Number(pid));
  return other !== null && (await isAlive(other));
}

/** Waits until it may be done. The others that keep it from being done are whole files of tests. */
async function lockedOnce(may: () => Promise<boolean>, work: () => Promise<void>): Promise<void> {
  for (;;) {
    const isDone = await locked(async () => {
      if (!(await may())) return false;
      await work();
      return true;
    });
    if (isDone) return;
    await sleep(500);
  }
}

async function locked<T>(work: () => Promise<T>): Promise<T> {
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
    return await work();
  } finally {
    await rmdir(lock).catch(() => undefined);
  }
}
