/** What is wrong with what a VM's owner asks of its CPU, beyond its shape: told by field. */
import { GodwitError, type CpuWish } from "@godwit/contract";
import { evcModeNamed } from "../evc-modes/modes.ts";
import { cpuMasksSchema } from "../masks/described-masks.ts";

export interface WishProblem {
  /** Inside the wish: `["masks", "cpuid.1.ecx"]`. */
  path: string[];
  message: string;
}

export function wishProblems(wish: CpuWish | undefined): WishProblem[] {
  if (wish === undefined) return [];
  const masks = wish.masks === undefined ? undefined : cpuMasksSchema.safeParse(wish.masks);
  const both = wish.add.filter((name) => wish.remove.includes(name));
  return [
    ...(wish.evcMode === undefined ? [] : evcModeProblem(wish.evcMode)),
    ...(masks?.error?.issues ?? []).map(({ path, message }) => ({
      path: ["masks", ...path.map(String)],
      message,
    })),
    ...both.map((name) => ({ path: ["add"], message: `${name} is both added and removed` })),
  ];
}

function evcModeProblem(mode: string): WishProblem[] {
  try {
    evcModeNamed(mode);
    return [];
  } catch (error) {
    if (!GodwitError.is(error, "EVC_MODE_UNKNOWN")) throw error;
    return [{ path: ["evcMode"], message: `${error.message} ${error.remedy}`.replace(/\.$/, "") }];
  }
}
