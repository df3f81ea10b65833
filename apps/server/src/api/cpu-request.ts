/** CPU masks and baselines that a request asks for. */
import { GodwitError, type CpuRequest } from "@godwit/contract";
import { cpuRequestProblems } from "@godwit/cpu";

/** @throws VM_DESCRIPTION_INVALID */
export function checkCpuRequest(source: string, request: CpuRequest | undefined): void {
  const problems = cpuRequestProblems(request).map(
    ({ path, message }) => `cpu.${path.join(".")}: ${message}`,
  );
  if (problems.length > 0) throw GodwitError.of("VM_DESCRIPTION_INVALID", { source, problems });
}
