/** `godwit cpu mask …`: what VMware's CPU masks mean, and what they are for QEMU. */
import {
  capabilityOf,
  cpuOf,
  cpuString,
  explainMasks,
  hostDefaultSets,
  layersOf,
  effectiveLayer,
  maskEntries,
  maskToQemu,
  maskVendorOf,
  noMasks,
  powerOnFindings,
  type Cpu,
  type HostDefaultSet,
  type Masks,
  type MaskVendor,
} from "@godwit/cpu";
import { GodwitError, type VmCpu } from "@godwit/contract";
import { buildCommand, buildRouteMap } from "@stricli/core";
import { cpuOfFile, cpuOfHost } from "../../cpu-argument.ts";
import { masksFrom } from "../../mask-arguments.ts";
import { explanationText, qemuMaskText } from "../../output/mask-view.ts";
import { Exit, exitCodes } from "../../output/problem.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag } from "../common.ts";

const grammar = `A mask is KEY=VALUE, or a file with such lines (a .vmx file; - reads standard input).
  cpuid.LEAF.REGISTER[.intel|.amd] = eight groups of four characters, bit 31 first:
      0 hidden      1 forced      H the host's, alike at a move      R hidden, alike at a move
      T must be 1   F must be 0   X the host's, not compared         - as the mask below has it
  featMask.vm.cpuid.NAME = Val:N, Max:N or Min:N
  featureRequirement.cpuid.NAME = Bool:Min:1, Num:Min:N, Min:N or Match:N
  featureCompat.vm.completeMasks = TRUE: what no featMask names is hidden`;

interface HostFlags {
  host?: string;
  file?: string;
}

const hostFlags = {
  host: { kind: "parsed", parse: String, brief: "Tell it for this host", optional: true },
  file: { kind: "parsed", parse: String, brief: "Tell it for the CPU of this file", optional: true },
} as const;

const masksArgument = {
  kind: "array",
  parameter: { brief: "KEY=VALUE or a file", placeholder: "mask", parse: String },
  minimum: 1,
} as const;

interface ExplainFlags extends HostFlags {
  json: boolean;
  all: boolean;
  defaults: HostDefaultSet;
  vendor?: MaskVendor;
}

const explainCommand = buildCommand({
  docs: {
    brief: "Say what a VM's CPU masks mean, bit by bit",
    fullDescription: `What the guest sees, what is checked when the VM is powered on, and what a move checks; with a host, the
value that each bit gets there. Ends with 3 where the VM could not be powered on at that host.

${grammar}

Examples:
  godwit cpu mask explain "cpuid.1.ecx=----:----:----:----:----:----:----:---R"
  godwit cpu mask explain old-vm.vmx --host a
  godwit cpu mask explain featMask.vm.cpuid.AVX=Val:0 --file report.txt --json`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      ...hostFlags,
      all: { kind: "boolean", brief: "Also the bits that only the host's default masks", default: false },
      defaults: {
        kind: "enum",
        values: hostDefaultSets,
        brief: "The host's default masks: today's, or VMware Infrastructure 3's",
        default: "current",
      },
      vendor: {
        kind: "enum",
        values: ["intel", "amd"],
        brief: "Whose CPU, where no host is named",
        optional: true,
      },
    },
    positional: masksArgument,
  },
  async func(flags: ExplainFlags, ...given: string[]) {
    const masks = await masksFrom(given);
    const host = await hostOf(flags);
    const vendor = host === null ? (flags.vendor ?? null) : maskVendorOf(host.vendor);
    const layers = layersOf(masks, vendor, flags.defaults);
    const bits = explainMasks(layers, host);
    const byVm = new Set(bits.flatMap(({ origin, feature }) => (origin === "VM" ? [feature] : [])));
    const explanation = {
      host: host?.label ?? null,
      vendor,
      defaults: flags.defaults,
      bits: flags.all
        ? bits
        : bits.filter(({ origin, hiddenBy }) => origin === "VM" || (hiddenBy !== null && byVm.has(hiddenBy))),
      features: capabilities(masks, host),
      complete: masks.complete,
      ignored: keysThatDoNotCount(masks, vendor),
      findings: host === null ? [] : powerOnFindings(effectiveLayer(layers), masks, host),
    };
    if (flags.json) writeJson(explanation);
    else writeLine(explanationText(explanation, flags.all));
    if (explanation.findings.length > 0) throw new Exit(exitCodes.refused);
  },
});

interface QemuFlags extends HostFlags {
  json: boolean;
  model: VmCpu;
  "qemu-version"?: string;
}

const qemuCommand = buildCommand({
  docs: {
    brief: "Turn a VM's CPU masks into flags of a QEMU CPU model",
    fullDescription: `Bits that no mask speaks of stay as the model has them. What QEMU cannot be told is said, and ends with 3.

${grammar}

Examples:
  godwit cpu mask qemu --model Nehalem-v1 "cpuid.1.ecx=----:----:0---:----:----:----:----:----"
  godwit cpu mask qemu --model Westmere-v1,+pcid old-vm.vmx --host a --json`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      ...hostFlags,
      model: {
        kind: "parsed",
        parse: modelWithChanges,
        brief: "QEMU's model, like Nehalem-v1 or Nehalem-v1,+aes",
      },
      "qemu-version": {
        kind: "parsed",
        parse: qemuVersion,
        brief: "The QEMU that is to run it, like 8.2 (default: 7.2)",
        optional: true,
      },
    },
    positional: masksArgument,
  },
  async func(flags: QemuFlags, ...given: string[]) {
    const masks = await masksFrom(given);
    const host = await hostOf(flags);
    const version = flags["qemu-version"];
    const result = maskToQemu(masks, flags.model, {
      ...(host === null ? {} : { host }),
      ...(version === undefined ? {} : { qemuVersion: version }),
    });
    const argument = cpuString(result.cpu);
    if (flags.json) writeJson({ argument, ...result });
    else writeLine(qemuMaskText(argument, result));
    if (result.findings.some(({ severity }) => severity === "error")) throw new Exit(exitCodes.refused);
  },
});

export const maskRoutes = buildRouteMap({
  routes: { explain: explainCommand, qemu: qemuCommand },
  docs: { brief: "VMware's CPU masks: what they mean, and their QEMU flags" },
});

async function hostOf({ host, file }: HostFlags): Promise<Cpu | null> {
  if (host !== undefined && file !== undefined) {
    throw GodwitError.of("USAGE", {
      what: "Both --host and --file are given.",
      hint: "Name one of the two.",
    });
  }
  const cpu = host !== undefined ? await cpuOfHost(host) : file !== undefined ? await cpuOfFile(file) : null;
  return cpu === null ? null : cpuOf(cpu.report, cpu.label);
}

/** `MODEL,+a,-b`. */
function modelWithChanges(text: string): VmCpu {
  const [model = "", ...changes] = text.split(",");
  const wrong = changes.find((change) => !/^[+-][a-z0-9][a-z0-9._-]*$/.test(change));
  if (!/^[A-Za-z0-9._-]+$/.test(model) || wrong !== undefined) {
    throw new SyntaxError(`expected a model and +feature or -feature after commas, not ${wrong ?? text}`);
  }
  const named = (sign: string) => changes.filter((one) => one.startsWith(sign)).map((one) => one.slice(1));
  return { model, add: named("+"), remove: named("-") };
}

function qemuVersion(text: string): string {
  if (/^\d+\.\d+(\.\d+)?$/.test(text)) return text;
  throw new SyntaxError(`expected a version like 8.2, not ${text}`);
}

/** The masks by name with what the host can give; null: not known. */
const capabilities = (masks: Masks, host: Cpu | null) =>
  masks.features.map(({ name, rule, value }) => ({
    name,
    rule,
    value,
    host: host === null ? null : capabilityOf(host, name),
  }));

/** Keys that do not count for this vendor, or for no vendor that is known. */
const keysThatDoNotCount = (masks: Masks, vendor: MaskVendor | null): string[] => {
  const others = masks.registers.filter((mask) => mask.vendor !== null && mask.vendor !== vendor);
  return maskEntries({ ...noMasks, registers: others }).map(([key]) => key);
};
