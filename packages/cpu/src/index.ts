/** CPU compatibility: what a CPU is, what may move where, masks, EVC baselines. Pure: no I/O, no clock. */
export { features, featureNamed, vmwareFeature, dependentsOf } from "./features/features.ts";
export {
  goesWith,
  msrFeatureNamed,
  msrFeatures,
  msrPlaceOf,
  type MsrFeature,
} from "./features/msr-features.ts";
export { isOlderQemu } from "./features/qemu-version.ts";
export type { CpuFeature } from "./features/feature.ts";
export {
  bitOf,
  hex32,
  placeOf,
  type CpuidLeaf,
  type LogicalCpu,
  type MsrValue,
  type Register,
} from "./cpuid/leaves.ts";
export type { CpuSource, NamedCpu, ReportedFacts } from "./formats/cpu-source.ts";
export { readCpuSource } from "./formats/read-cpu-source.ts";
export { childOf, elementsNamed, parseXml, type XmlElement } from "./formats/xml.ts";
export { reportOf } from "./report/report.ts";
export { fullReportText } from "./report/full-report-text.ts";
export { reportText } from "./report/report-text.ts";
export { commonX86Level, x86LevelOf } from "./report/x86-levels.ts";
export { featuresInText, type NamedInText } from "./features/features-in-text.ts";
export { flexMigrationOf } from "./report/flex-migration.ts";
export { flexNote, vmware64Note } from "./report/notes.ts";
export { vmware64Of } from "./report/vmware64.ts";
export { cpuOf, has, type Cpu } from "./cpuid/cpu.ts";
export {
  commonSets,
  evcModeNamed,
  evcModes,
  evcRevisions,
  evcVendorOf,
  satisfiedModes,
  satisfiedSets,
  satisfies,
} from "./evc-modes/modes.ts";
export { isCommonSet, modeId, type EvcMode, type EvcVendor } from "./evc-modes/mode.ts";
export { featuresOfRegisters } from "./report/features-of-registers.ts";
export {
  applyMasks,
  bitOfCpu,
  moveFindings,
  powerOnFindings,
  type Bit,
  type MaskedBit,
} from "./masks/apply-masks.ts";
export { cpuMasksSchema, cpuWithMasks, type CpuMasks } from "./masks/described-masks.ts";
export {
  effectiveLayer,
  explainMasks,
  layersOf,
  type ExplainedBit,
  type MaskLayers,
} from "./masks/explain-masks.ts";
export { capabilityOf, maskVendorOf } from "./masks/feature-mask.ts";
export { hostDefault, hostDefaultSets, type HostDefaultSet } from "./masks/host-defaults.ts";
export { maskCharacter, maskMeanings, type MaskCharacter } from "./masks/mask-character.ts";
export { bitsLayer, compose, emptyLayer, layerOf, type MaskLayer } from "./masks/mask-layer.ts";
export { isMaskKey, maskEntries, noMasks, parseMasks, type Masks } from "./masks/masks.ts";
export { maskToQemu, type MaskCheck, type QemuMask, type QemuMaskContext } from "./masks/masks-to-qemu.ts";
export type { MaskVendor, RegisterMask, RegisterPlace } from "./masks/register-mask.ts";
export { readVmxMasks, vmxMaskLines, writeVmxMasks } from "./masks/vmx.ts";
export { nameInMaskKey, unknownMaskNames, type UnknownMaskName } from "./masks/mask-names.ts";
export { perVmEvcOf, qemuOfPerVmEvc, type PerVmEvc } from "./masks/per-vm-evc.ts";
export { qemuModelNamed } from "./named-models/named-models.ts";
export { beyond, exposedFeatures, distinguishesCpus } from "./evc/exposed-features.ts";
export { simulatedCpu } from "./evc/simulated-cpu.ts";
export { limitedQemuFacts } from "./evc/limited-qemu-facts.ts";
export { cpuRequestProblems, type CpuRequestProblem } from "./power-on/cpu-request-problems.ts";
export { powerOnCpu, aboveBaselineFindings, type PowerOnFacts } from "./power-on/power-on.ts";
export {
  compareCpus,
  type ComparedCpu,
  type CpuComparison,
  type FeatureDifference,
} from "./compare/comparison.ts";
export { executesWhenHidden } from "./compare/hidden-instructions.ts";
export type { CommonBaseline } from "./compare/common-baseline.ts";
export type { Presence, Verdict } from "./compare/rules.ts";
export type { Direction } from "./compare/direction.ts";
export { likelyCause, whyQemuLacks, type Cause, type CauseKind } from "./causes/causes.ts";
export { microcodeFeatures, microcodeSet } from "./evc/microcode.ts";
export { cpuString, explicitHostCpu, qemuCpu } from "./evc/qemu-cpu.ts";
export { generationOf } from "./evc-modes/generations.ts";
export { includesMode } from "./evc-modes/mode.ts";
export { missingFor, type MissingFeature } from "./evc/missing.ts";
export { baselineOf, type BaselineHost, type CpuBaseline } from "./evc/baseline.ts";
export {
  whatIf,
  withCpu,
  withoutHost,
  type VmWithFeatures,
  type AffectedVm,
  type WhatIf,
} from "./evc/what-if.ts";
export {
  hostAdmission,
  microcodeOf,
  modeChange,
  lostFeatureFindings,
  type Admission,
  type EvcHost,
  type EvcPool,
  type ModeChange,
  type RunningVm,
} from "./evc/admission.ts";
