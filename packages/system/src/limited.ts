/**
 * How a program is started that looks at what somebody else has made, and may be taken over by it: as a user without
 * rights, alone (no network, no other processes, no IPC), with bounded memory, processor time and open files, and
 * unable to write to any file unless that is its work. Its time is limited by whoever runs it, with `SIGKILL`: the words before it do not
 * end for less while they wait for it, and it ends with them.
 */
import type { UserIds } from "./users.ts";

/** What a program may use beside what all may. */
export interface MoreLimits {
  /** Of processor time; absent: 10. */
  cpuSeconds?: number;
  /** Absent: 64. */
  openFiles?: number;
}

/** The words before the program's own. They need root. @param mostFileBytes that it may make a file */
export const limitedAs = (
  { uid, gid }: UserIds,
  mostFileBytes = 0,
  { cpuSeconds = 10, openFiles = 64 }: MoreLimits = {},
): string[] => [
  ...["unshare", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "--"],
  ...[
    "prlimit",
    "--as=2147483648",
    `--cpu=${String(cpuSeconds)}`,
    `--fsize=${String(mostFileBytes)}`,
    "--core=0",
    `--nofile=${String(openFiles)}`,
    "--",
  ],
  ...["setpriv", "--reuid", String(uid), "--regid", String(gid), "--clear-groups"],
  // The kernel forgets what `--kill-child` has set when the user changes.
  ...["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--pdeathsig", "KILL", "--"],
];
