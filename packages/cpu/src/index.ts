/** CPU compatibility: what a CPU is, what may move where, masks, EVC baselines. Pure: no I/O, no clock. */
export { features, featureNamed, vmwareFeature, dependentsOf } from "./features/features.ts";
export type { CpuFeature, Register } from "./features/feature.ts";
export { bitOf, hex32, placeOf, type CpuidLeaf, type LogicalCpu, type MsrValue } from "./cpuid/leaves.ts";
export type { CpuSource, NamedCpu } from "./formats/cpu-source.ts";
export { cpuOf, has, type Cpu } from "./report/cpu.ts";
export { evcModeNamed, evcModes, evcRevisions, evcVendorOf, satisfiedModes } from "./evc/modes.ts";
export { modeId, type EvcMode, type EvcVendor } from "./evc/mode.ts";
export { likelyCause, whyNotGiven, type Cause, type CauseKind } from "./causes.ts";
export { microcodeFeatures, microcodeSet } from "./evc/microcode.ts";
export { cpuString, effectiveFeatures, explicitHostCpu, qemuCpu } from "./evc/qemu-cpu.ts";
export { generationOf } from "./evc/generations.ts";
