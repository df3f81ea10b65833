/** EVC modes and baselines as lines for people, and as JSON. Pure. */
import {
  cpuString,
  featureNamed,
  modeId,
  placeOf,
  qemuCpu,
  type BaselineHost,
  type CpuBaseline,
  type EvcMode,
  type MissingFeature,
  type WhatIf,
} from "@godwit/cpu";
import { formatTable } from "./format.ts";

const evidenceWords: Readonly<Record<EvcMode["evidence"], string>> = {
  mask: "VMware's complete feature mask is public",
  vm: "the requirements of a VM in this mode are public",
  dumps: "by VMware's description, checked against CPUID dumps of real CPUs",
};

export const modeJson = (mode: EvcMode) => ({
  ...mode,
  id: modeId(mode),
  qemuCpu: cpuString(qemuCpu(mode)),
  features: mode.features.map((name) => {
    const feature = featureNamed(name);
    return {
      name,
      vmware: feature?.vmware ?? null,
      place: feature === undefined ? null : placeOf(feature),
      shown: !mode.hidden.includes(name),
    };
  }),
});

export const modesTable = (modes: readonly EvcMode[]): string =>
  formatTable([
    ["MODE", "LEVEL", "FEATURES", "QEMU MODEL", "QEMU", "LABEL"],
    ...modes.map((mode) => [
      modeId(mode),
      mode.level,
      String(mode.features.length),
      mode.cpu.model,
      `${mode.qemuSince}+`,
      mode.label,
    ]),
  ]);

export function modeText(mode: EvcMode): string {
  return [
    `${modeId(mode)} (${mode.level}): ${mode.label}`,
    `  evidence  ${evidenceWords[mode.evidence]}`,
    `  QEMU      ${mode.qemuSince} or later: -cpu ${cpuString(qemuCpu(mode))}`,
    "",
    "A host must have, beyond what every 64-bit CPU has:",
    ...indented(
      formatTable([
        ["NAME", "VMWARE", "WHERE", ""],
        ...modeJson(mode).features.map(({ name, vmware, place, shown }) => [
          name,
          vmware ?? "",
          place ?? "",
          shown ? "" : "hosts must have it, guests are not shown it",
        ]),
      ]),
    ),
  ].join("\n");
}

/** @param change what was asked for, and what it does; null: nothing was */
export function baselineJson(baseline: CpuBaseline, change: WhatIf | null) {
  const {
    mode,
    why,
    commonSet,
    cpuString: qemu,
    cpu,
    microcode,
    features,
    common,
    next,
    hosts,
    vendors,
    x86Level,
  } = baseline;
  return {
    evcMode: mode?.key ?? null,
    label: mode?.label ?? null,
    why,
    commonSet: commonSet?.key ?? null,
    qemuCpu: qemu,
    cpu,
    microcode,
    x86Level,
    features,
    commonModes: common.map(({ key }) => key),
    nextModes: next.map(({ key }) => key),
    hosts,
    vendors: vendors.map(({ vendor, mode: own, hosts: labels }) => ({
      ...{ vendor, evcMode: own?.key ?? null },
      hosts: labels,
    })),
    ...(change === null
      ? {}
      : {
          whatIf: {
            change: change.change,
            before: { evcMode: change.before.mode?.key ?? null, qemuCpu: change.before.cpuString },
            vms: change.vms,
          },
        }),
  };
}

export function baselineText(baseline: CpuBaseline, change: WhatIf | null): string {
  const { mode, why, commonSet, cpuString: qemu, microcode, hosts, next, vendors, x86Level } = baseline;
  return [
    ...(mode === null
      ? [`There is no common EVC mode. ${why ?? ""}`]
      : [`EVC mode   ${modeId(mode)} (${mode.level}): ${mode.label}`, `QEMU       -cpu ${qemu ?? ""}`]),
    ...setLines(commonSet, mode, microcode),
    ...(mode === null && commonSet === null
      ? []
      : [
          ...(x86Level === null ? [] : [`psABI      ${x86Level}`]),
          `Microcode  ${microcode.length === 0 ? "no bit that all have" : microcode.join(", ")}`,
        ]),
    ...(vendors.length < 2
      ? []
      : vendors.map(
          ({ vendor, mode: own, hosts: labels }) =>
            `  ${vendor}: ${own?.key ?? "no mode"} for ${labels.join(", ")}`,
        )),
    ...(change === null ? [] : ["", ...changeLines(change)]),
    "",
    formatTable([
      ["HOST", "VENDOR", "HIGHEST MODE", "GIVES UP"],
      ...hosts.map((host) => [host.label, host.vendor, highest(host), host.givesUp.join(" ")]),
    ]),
    ...next.flatMap((higher) => ["", ...nextLines(higher, hosts)]),
  ].join("\n");
}

/** A set of Godwit's own, for pools that need no EVC. */
function setLines(set: EvcMode | null, mode: EvcMode | null, microcode: readonly string[]): string[] {
  if (set === null) return [];
  return [
    `Common set ${modeId(set)}: ${set.label}`,
    `           ${mode === null ? "no EVC mode, but used like one" : "beyond the EVC mode, and used like one"}: godwit pool create … --evc ${set.key}`,
    `QEMU       -cpu ${cpuString(qemuCpu(set, microcode))}`,
  ];
}

const changeWords: Readonly<Record<WhatIf["change"], string>> = {
  same: "The mode stays",
  raised: "The mode could be raised",
  lowered: "The mode would have to be lowered",
  other: "It would be another mode, neither higher nor lower",
  gained: "There would be a mode",
  lost: "There would be no mode any more",
};

function changeLines({ change, before, after, vms }: WhatIf): string[] {
  const from = before.mode?.key ?? "none";
  const to = after.mode?.key ?? "none";
  return [
    change === "same" ? `${changeWords.same}: ${from}.` : `${changeWords[change]}: from ${from} to ${to}.`,
    ...vms.flatMap(({ name, cannotStart, cannotMoveTo, beyond }) => [
      cannotStart
        ? `  ✗ VM ${name} runs with features that no host here has all of: once powered off it starts with less.`
        : `  ! VM ${name} could not move to ${cannotMoveTo.join(", ")}.`,
      ...(beyond.length === 0 ? [] : [`    It sees more than ${to}: ${beyond.join(", ")}.`]),
    ]),
  ];
}

/** Of the modes that it satisfies the last of the table. */
const highest = ({ satisfies }: BaselineHost): string => satisfies.at(-1) ?? "none";

function nextLines(mode: EvcMode, hosts: readonly BaselineHost[]): string[] {
  const lacking = hosts.flatMap(({ label, lacksForNext }) => {
    const missing = lacksForNext.find((one) => one.mode === mode.key)?.missing ?? [];
    return missing.length === 0 ? [] : [{ label, missing }];
  });
  return [
    `What ${mode.key} would need:`,
    ...lacking.flatMap(({ label, missing }) => [`  ${label}`, ...missingLines(missing, "    ")]),
  ];
}

/** Features with the same reason stand together. */
export function missingLines(missing: readonly MissingFeature[], indent: string): string[] {
  const groups = new Map<string, string[]>();
  for (const { feature, why } of missing) {
    // The sentence names the feature; what differs between features of one kind is only that.
    const kind = `${why.kind}\n${why.remedy}`;
    groups.set(kind, [...(groups.get(kind) ?? []), feature]);
  }
  return [...groups].flatMap(([key, features]) => {
    const first = missing.find(({ feature }) => feature === features[0]);
    const [, remedy = ""] = key.split("\n");
    return [
      `${indent}✗ ${features.join(", ")} (${first?.why.kind ?? ""}): ${first?.why.cause ?? ""}`,
      `${indent}  ${remedy}`,
    ];
  });
}

const indented = (text: string): string[] => text.split("\n").map((line) => `  ${line}`);
