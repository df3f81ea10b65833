/**
 * File systems that outlive this process and that all processes of the machine see: where systemd runs it, a daemon may have
 * a view of its own, so what is to be mounted is mounted by a unit of systemd's.
 */
import { readFile } from "node:fs/promises";
import { run } from "./run.ts";
import { systemdRuns } from "./units.ts";

export interface Mounted {
  type: string;
  /** The storage, as it was named when it was mounted. */
  what: string;
  /** The folder. */
  where: string;
}

/** As this process sees them; of several in one place the one that is seen comes last. */
export async function mounted(): Promise<Mounted[]> {
  return mountsIn(await readFile("/proc/self/mountinfo", "utf8"));
}

/** @param text of the form of `/proc/self/mountinfo`, see proc(5) */
export function mountsIn(text: string): Mounted[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const where = before.split(" ")[4];
    const [type, what] = after.split(" ");
    if (where === undefined || type === undefined || what === undefined) return [];
    return [{ type, what: unescaped(what), where: unescaped(where) }];
  });
}

const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** @throws PROGRAM_FAILED with what `mount` says, PROGRAM_MISSING */
export async function mountFileSystem(
  { type, what, where }: Mounted,
  options: readonly string[],
  timeoutMs: number,
): Promise<void> {
  await outside(["mount", "-t", type, "-o", options.join(","), "--", what, where], {
    what: `mounting ${what} at ${where}`,
    timeoutMs,
  });
}

/** Never by force, and not while it is in use. @throws PROGRAM_FAILED with what `umount` says */
export async function unmountFileSystem(where: string, timeoutMs: number): Promise<void> {
  await outside(["umount", "--", where], { what: `unmounting ${where}`, timeoutMs });
}

async function outside(argv: readonly string[], words: { what: string; timeoutMs: number }): Promise<void> {
  const unit = [
    "--quiet",
    "--collect",
    "--wait",
    "--pipe",
    "--service-type=exec",
    "--property=RuntimeMaxSec=120",
  ];
  const [program = "", ...args] = systemdRuns() ? ["systemd-run", ...unit, "--", ...argv] : argv;
  await run(program, args, words);
}
