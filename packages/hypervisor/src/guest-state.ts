/**
 * Why a guest stands still, from QEMU's words: its run state, its devices' I/O status, and the events that tell of a
 * stop. QEMU's `paused` is not only a user's: a move stops the guest by the same command.
 */
import type { PauseReason } from "@godwit/contract";
import type { QmpEvent } from "@godwit/qmp";

export interface GuestState {
  /** Whether the vCPUs run, or would if the guest were not asleep. */
  runs: boolean;
  /** QEMU's run state. */
  status: string;
  /** Null: it runs, or QEMU does not tell: the guest was told to stop, or is in the last step of a copy. */
  pauseReason: PauseReason | null;
}

const reasons: Readonly<Record<string, PauseReason>> = {
  "io-error": "io-error",
  "guest-panicked": "guest-panicked",
  watchdog: "watchdog",
  "internal-error": "internal-error",
  suspended: "suspended",
  shutdown: "shutdown",
};

/**
 * @param ioStatuses of the disks: they tell of an I/O error also in the states that hide it, until the guest runs again
 */
export function guestState(running: boolean, status: string, ioStatuses: readonly string[]): GuestState {
  if (running) return { runs: true, status, pauseReason: null };
  const told = reasons[status] ?? null;
  if (told !== null && told !== "io-error") return { runs: told === "suspended", status, pauseReason: told };
  if (ioStatuses.includes("nospace")) return { runs: false, status, pauseReason: "no-space" };
  const hasFailed = told !== null || ioStatuses.some((one) => one !== "ok");
  return { runs: false, status, pauseReason: hasFailed ? "io-error" : null };
}

/** Why this event stops the guest; null: it does not, or for nothing of the guest's own. */
export function stopReasonOf({ name, data }: Pick<QmpEvent, "name" | "data">): PauseReason | null {
  switch (name) {
    case "BLOCK_IO_ERROR":
      if (data.action !== "stop") return null;
      return data.nospace === true ? "no-space" : "io-error";
    case "GUEST_PANICKED":
      return data.action === "pause" ? "guest-panicked" : null;
    case "WATCHDOG":
      return data.action === "pause" ? "watchdog" : null;
    case "SHUTDOWN":
      return data.guest === true ? "shutdown" : null;
    default:
      return null;
  }
}
