/** Errors about machines whose clocks are apart. Times are ISO 8601. */
import { define } from "./define.ts";

const synchronize =
  "Let both take their time from one source: timedatectl status shows whether one does, timedatectl set-ntp true lets it.";

/** As "95 s", "5 min 12 s", "24 h 3 min". */
function apart(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (minutes < 2) return `${String(seconds)} s`;
  return hours < 2
    ? `${String(minutes)} min ${String(seconds % 60)} s`
    : `${String(hours)} h ${String(minutes % 60)} min`;
}

export const clockErrors = {
  /** An alarm. */
  HOST_CLOCK_APART: define<{ host: string; hostAt: string; serverAt: string; aheadMs: number }>(
    409,
    "after-fix",
    (d) =>
      `The clock of host ${d.host} is ${apart(d.aheadMs)} ${d.aheadMs < 0 ? "behind" : "ahead of"} the server's: it read ${d.hostAt} when the server's read ${d.serverAt}.`,
    () =>
      `${synchronize} Otherwise certificates that are renewed may be refused, and guests whose clock is set after a move get a wrong time.`,
  ),
  HOSTS_CLOCKS_APART: define<{
    vm: string;
    from: string;
    fromAt: string;
    host: string;
    hostAt: string;
    aheadMs: number;
  }>(
    409,
    "after-fix",
    (d) =>
      `The clocks of hosts ${d.from} and ${d.host} are ${apart(d.aheadMs)} apart: that of ${d.from} read ${d.fromAt} when that of ${d.host} read ${d.hostAt}.`,
    (d) =>
      `${synchronize} VM ${d.vm} may move; if its guest's clock is set after a move, it is set to that of ${d.host}.`,
  ),
  JOIN_CLOCKS_APART: define<{ host: string; hostAt: string; url: string; serverAt: string; aheadMs: number }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} did not join: its clock read ${d.hostAt} when that of the server ${d.url} read ${d.serverAt}, which is ${apart(d.aheadMs)} apart.`,
    () => `${synchronize} Then join again with the same token.`,
  ),
} as const;
