/** `godwit cpu mask …`: what VMware's CPU masks mean, and what they are for QEMU. */
import {
  capabilityOf,
  cpuOf,
  cpuString,
  explainMasks,
  layersOf,
  effectiveLayer,
  maskEntries,
  maskToQemu,
  maskVendorOf,
  modeId,
  noMasks,
  perVmEvcOf,
  powerOnFindings,
  qemuModelNamed,
  qemuOfPerVmEvc,
  type Cpu,
  type HostDefaultSet,
  type Masks,
  type QemuMaskContext,
  type MaskVendor,
} from "@godwit/cpu";
import { GodwitError, type VmCpu } from "@godwit/contract";
import { cpuOfFile, cpuOfHost } from "./argument.ts";
import { masksFrom } from "./mask-arguments.ts";
import { explanationText, qemuMaskText } from "../output/mask-view.ts";
import { Exit, exitCodes } from "../output/problem.ts";
import { writeJson, writeLine } from "../output/screen.ts";

interface HostFlags {
  host?: string;
  file?: string;
}

interface ExplainFlags extends HostFlags {
  json: boolean;
  all: boolean;
  defaults: HostDefaultSet;
  vendor?: MaskVendor;
}

interface QemuFlags extends HostFlags {
  json: boolean;
  model?: VmCpu;
  "qemu-version"?: string;
}

export async function explainGiven(flags: ExplainFlags, ...given: string[]): Promise<void> {
  const masks = await masksFrom(given);
  const host = await hostOf(flags);
  const vendor = host === null ? (flags.vendor ?? null) : maskVendorOf(host.vendor);
  const layers = layersOf(masks, vendor, flags.defaults);
  const bits = explainMasks(layers, host);
  const perVmEvc = perVmEvcOf(masks);
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
    perVmEvc: perVmEvc === null ? null : modeId(perVmEvc.mode),
    ignored: keysThatDoNotCount(masks, vendor),
    findings: host === null ? [] : powerOnFindings(effectiveLayer(layers), masks, host),
  };
  if (flags.json) writeJson(explanation);
  else writeLine(explanationText(explanation, flags.all));
  if (explanation.findings.length > 0) throw new Exit(exitCodes.refused);
}

export async function qemuFlagsOf(flags: QemuFlags, ...given: string[]): Promise<void> {
  const masks = await masksFrom(given);
  const host = await hostOf(flags);
  const perVmEvc = flags.model === undefined ? perVmEvcOf(masks) : null;
  const result =
    perVmEvc === null ? maskToQemu(masks, modelIn(flags), context(host, flags)) : qemuOfPerVmEvc(perVmEvc);
  const argument = cpuString(result.cpu);
  const evcMode = perVmEvc === null ? null : modeId(perVmEvc.mode);
  if (flags.json) writeJson({ argument, evcMode, ...result });
  else writeLine(qemuMaskText(argument, result, evcMode));
  if (result.findings.some(({ severity }) => severity === "error")) throw new Exit(exitCodes.refused);
}

/** @throws USAGE */
function modelIn({ model }: QemuFlags): VmCpu {
  if (model !== undefined) return model;
  throw GodwitError.of("USAGE", {
    what: "These masks are no per-VM EVC, and --model is missing.",
    hint: "Name the model that they change: --model Nehalem-v1",
  });
}

const context = (host: Cpu | null, flags: QemuFlags): QemuMaskContext => {
  const version = flags["qemu-version"];
  const known = flags.model === undefined ? undefined : qemuModelNamed(flags.model.model);
  return {
    ...(host === null ? {} : { host }),
    ...(version === undefined ? {} : { qemuVersion: version }),
    ...(known === undefined ? {} : { modelFeatures: known.features }),
  };
};

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
