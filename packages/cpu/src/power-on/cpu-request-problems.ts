/** What is wrong with the CPU that a VM's description asks for, beyond the shape that the schema checks; by field. */
import { GodwitError, type CpuRequest } from "@godwit/contract";
import { evcModeNamed } from "../evc-modes/modes.ts";
import { cpuMasksSchema } from "../masks/described-masks.ts";

export interface CpuRequestProblem {
  /** Inside the request: `["masks", "cpuid.1.ecx"]`. */
  path: string[];
  message: string;
}

export function cpuRequestProblems(request: CpuRequest | undefined): CpuRequestProblem[] {
  if (request === undefined) return [];
  const masks = request.masks === undefined ? undefined : cpuMasksSchema.safeParse(request.masks);
  const both = request.add.filter((name) => request.remove.includes(name));
  return [
    ...(request.evcMode === undefined ? [] : evcModeProblem(request.evcMode)),
    ...(masks?.error?.issues ?? []).map(({ path, message }) => ({
      path: ["masks", ...path.map(String)],
      message,
    })),
    ...both.map((name) => ({ path: ["add"], message: `${name} is both added and removed` })),
  ];
}

function evcModeProblem(mode: string): CpuRequestProblem[] {
  try {
    evcModeNamed(mode);
    return [];
  } catch (error) {
    if (!GodwitError.is(error, "EVC_MODE_UNKNOWN")) throw error;
    return [{ path: ["evcMode"], message: `${error.message} ${error.remedy}`.replace(/\.$/, "") }];
  }
}
