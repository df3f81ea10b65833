/** The state of a QEMU that an earlier agent started, or that answers again: as QEMU itself tells it. */
import type { PauseReason, VmState } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";

export interface FoundState {
  state: VmState;
  pauseReason: PauseReason | null;
  /** QEMU's own word. */
  status: string;
}

/** From here on a guest that switches itself off leaves its QEMU standing. @throws any error of QMP */
export async function foundState(process: QemuProcess): Promise<FoundState> {
  const { runs, status, pauseReason: told } = await process.guestState();
  await process.keepWhenOff();
  // Cut off on the way: whatever it has in its memory, its guest must not run.
  if (process.spec.loads !== undefined) return { state: "starting", pauseReason: null, status };
  // The same with all of its memory: a start goes on with it. One that is being suspended has given its disks back (`postmigrate`).
  const { revertingTo, suspension } = process.spec.vm;
  if (status === "paused" && (revertingTo !== undefined || suspension !== undefined))
    return { state: "starting", pauseReason: null, status };
  if (process.spec.incoming && status === "inmigrate")
    return { state: "incoming", pauseReason: null, status };
  if (runs && told !== "suspended") return { state: "running", pauseReason: null, status };
  if (told === "shutdown") return { state: "stopping", pauseReason: told, status };
  // A move that stopped the guest is taken up next, and lets it run or says why not.
  return { state: "paused", pauseReason: told ?? (status === "paused" ? "user" : null), status };
}
