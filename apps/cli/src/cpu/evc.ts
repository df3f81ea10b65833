/** `godwit cpu evc …`: the EVC modes, and which of them CPUs satisfy. */
import {
  baselineOf,
  commonSets,
  cpuOf,
  evcModeNamed,
  evcModes,
  evcVendorOf,
  missingFor,
  satisfiedModes,
  satisfiedSets,
  satisfies,
  type Cpu,
  type EvcMode,
  type MissingFeature,
} from "@godwit/cpu";
import { cpuArgument } from "./argument.ts";
import { missingLines, modeJson, modesTable, modeText } from "../output/baseline-view.ts";
import { Exit, exitCodes } from "../output/problem.ts";
import { writeJson, writeLine } from "../output/screen.ts";

export function listModes({ json }: { json: boolean }): void {
  if (json) writeJson({ modes: evcModes.map(modeJson), commonSets: commonSets.map(modeJson) });
  else {
    writeLine(modesTable(evcModes));
    writeLine("\nCommon sets, which are no EVC modes, and are used like them:\n");
    writeLine(modesTable(commonSets));
  }
}

export function showMode({ json }: { json: boolean }, name: string): void {
  const mode = evcModeNamed(name);
  if (json) writeJson(modeJson(mode));
  else writeLine(modeText(mode));
}

export async function checkModes(
  { json, mode }: { json: boolean; mode?: EvcMode },
  ...names: string[]
): Promise<void> {
  const checked: Checked[] = [];
  for (const name of names) {
    const { label, report } = await cpuArgument(name);
    checked.push(checkOf(cpuOf(report, label), mode ?? null));
  }
  if (json) writeJson({ mode: mode?.key ?? null, cpus: checked });
  else for (const one of checked) writeLine(checkText(one));
  if (checked.some(({ satisfiesMode }) => satisfiesMode === false)) throw new Exit(exitCodes.refused);
}

interface Checked {
  label: string;
  vendor: string;
  satisfies: string[];
  commonSets: string[];
  /** null: no mode was asked for. */
  satisfiesMode: boolean | null;
  /** For the requested mode, otherwise for the next higher ones; empty for another vendor. */
  lacks: { mode: string; missing: MissingFeature[] }[];
}

function checkOf(cpu: Cpu, mode: EvcMode | null): Checked {
  const wanted = mode === null ? baselineOf([cpu]).next : [mode];
  return {
    label: cpu.label,
    vendor: cpu.vendor,
    satisfies: satisfiedModes(cpu).map(({ key }) => key),
    commonSets: satisfiedSets(cpu).map(({ key }) => key),
    satisfiesMode: mode === null ? null : satisfies(cpu, mode),
    lacks: wanted
      .filter((one) => one.vendor === evcVendorOf(cpu) && !satisfies(cpu, one))
      .map((one) => ({ mode: one.key, missing: missingFor(cpu, one) })),
  };
}

function checkText({
  label,
  vendor,
  satisfies: keys,
  commonSets: sets,
  satisfiesMode,
  lacks,
}: Checked): string {
  return [
    `${label} (${vendor}): ${keys.length === 0 ? "no EVC mode" : keys.join(", ")}`,
    ...(sets.length === 0 ? [] : [`  common sets: ${sets.join(", ")}`]),
    ...(satisfiesMode === false && lacks.length === 0 ? ["  ✗ The mode is for CPUs of another vendor."] : []),
    ...lacks.flatMap(({ mode, missing }) => [`  lacks for ${mode}:`, ...missingLines(missing, "    ")]),
  ].join("\n");
}
