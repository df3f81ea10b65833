/** `godwit cpu evc …`: the EVC modes, and which of them CPUs satisfy. */
import {
  baselineOf,
  cpuOf,
  evcModeNamed,
  evcModes,
  evcVendorOf,
  missingFor,
  satisfiedModes,
  satisfies,
  type Cpu,
  type EvcMode,
  type MissingFeature,
} from "@godwit/cpu";
import { buildCommand, buildRouteMap } from "@stricli/core";
import { cpuArgument } from "../../cpu-argument.ts";
import { missingLines, modeJson, modesTable, modeText } from "../../output/baseline-view.ts";
import { Exit, exitCodes } from "../../output/problem.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, nameArgument } from "../common.ts";

const list = buildCommand({
  docs: {
    brief: "List the EVC modes",
    fullDescription: `Keys and levels are VMware's. AMD's modes are not a ladder: Zen has lost what Bulldozer had, so that a host
may satisfy B4 and not B3. Features decide; godwit cpu evc show tells a mode's.

Examples:
  godwit cpu evc list
  godwit cpu evc list --json`,
  },
  parameters: { flags: { json: jsonFlag } },
  func({ json }: { json: boolean }) {
    if (json) writeJson({ modes: evcModes.map(modeJson) });
    else writeLine(modesTable(evcModes));
  },
});

const show = buildCommand({
  docs: {
    brief: "Show what an EVC mode wants of hosts, and what QEMU is told for it",
    fullDescription: `A definition that was published never changes; a correction is a new revision. A key means the newest one.

Examples:
  godwit cpu evc show intel-haswell
  godwit cpu evc show amd-zen@1 --json`,
  },
  parameters: {
    flags: { json: jsonFlag },
    positional: nameArgument("mode", "A mode's key, like intel-haswell"),
  },
  func({ json }: { json: boolean }, name: string) {
    const mode = evcModeNamed(name);
    if (json) writeJson(modeJson(mode));
    else writeLine(modeText(mode));
  },
});

const check = buildCommand({
  docs: {
    brief: "Tell which EVC modes CPUs satisfy, and what they lack for more",
    fullDescription: `Each CPU is a file (a report of this program or of VMware's utility, a CPUID dump, libvirt's XML) or the
name of a host. With --mode: whether each satisfies it; ends with 3 when one does not. What a file does not tell
is not taken for a yes.

Examples:
  godwit cpu evc check server.txt
  godwit cpu evc check --mode intel-haswell a b c --json`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      mode: { kind: "parsed", parse: evcModeNamed, brief: "The mode that is wanted", optional: true },
    },
    positional: {
      kind: "array",
      parameter: { brief: "Files, or hosts' names", placeholder: "cpu", parse: String },
      minimum: 1,
    },
  },
  async func({ json, mode }: { json: boolean; mode?: EvcMode }, ...names: string[]) {
    const checked: Checked[] = [];
    for (const name of names) {
      const { label, report } = await cpuArgument(name);
      checked.push(checkOf(cpuOf(report, label), mode ?? null));
    }
    if (json) writeJson({ mode: mode?.key ?? null, cpus: checked });
    else for (const one of checked) writeLine(checkText(one));
    if (checked.some(({ satisfiesMode }) => satisfiesMode === false)) throw new Exit(exitCodes.refused);
  },
});

interface Checked {
  label: string;
  vendor: string;
  satisfies: string[];
  /** null: no mode was asked for. */
  satisfiesMode: boolean | null;
  /** For the mode that was asked for, else for the next ones up; empty where the vendor is another. */
  lacks: { mode: string; missing: MissingFeature[] }[];
}

function checkOf(cpu: Cpu, mode: EvcMode | null): Checked {
  const wanted = mode === null ? baselineOf([cpu]).next : [mode];
  return {
    label: cpu.label,
    vendor: cpu.vendor,
    satisfies: satisfiedModes(cpu).map(({ key }) => key),
    satisfiesMode: mode === null ? null : satisfies(cpu, mode),
    lacks: wanted
      .filter((one) => one.vendor === evcVendorOf(cpu) && !satisfies(cpu, one))
      .map((one) => ({ mode: one.key, missing: missingFor(cpu, one) })),
  };
}

function checkText({ label, vendor, satisfies: keys, satisfiesMode, lacks }: Checked): string {
  return [
    `${label} (${vendor}): ${keys.length === 0 ? "no EVC mode" : keys.join(", ")}`,
    ...(satisfiesMode === false && lacks.length === 0 ? ["  ✗ The mode is for CPUs of another vendor."] : []),
    ...lacks.flatMap(({ mode, missing }) => [`  lacks for ${mode}:`, ...missingLines(missing, "    ")]),
  ].join("\n");
}

export const evcRoutes = buildRouteMap({
  routes: { list, show, check },
  docs: { brief: "EVC modes: list, show, check" },
});
