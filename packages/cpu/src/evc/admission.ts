/**
 * May a host be in a pool with an EVC mode, and may a pool have a mode? Every reason against it is reported at once,
 * kept apart as vSphere keeps its EVC faults apart: vendor, generation, features, software, running VMs.
 */
import {
  finding,
  type Finding,
  type HostInPool,
  type QemuFacts,
  type RefusedFeature,
} from "@godwit/contract";
import { whyQemuLacks, type Cause } from "../causes/causes.ts";
import type { CpuFeature } from "../features/feature.ts";
import { featureNamed } from "../features/features.ts";
import { has, type Cpu } from "../cpuid/cpu.ts";
import { generationOf, isOfDesktopGeneration } from "../evc-modes/generations.ts";
import { microcodeSet } from "./microcode.ts";
import { missingFor, missingOf, type MissingFeature } from "./missing.ts";
import { includesMode, isCommonSet, modeId, type EvcMode } from "../evc-modes/mode.ts";
import { evcModeNamed, evcVendorOf } from "../evc-modes/modes.ts";
import { knownFeatures } from "./qemu-cpu.ts";
import { beyond, exposedFeatures, distinguishesCpus } from "./exposed-features.ts";

export interface EvcHost {
  readonly name: string;
  readonly connected: boolean;
  /** null: its agent does not tell. */
  readonly cpu: Cpu | null;
  readonly qemu: Pick<QemuFacts, "version" | "accelerator" | "cpuModels" | "availableFeatures"> | null;
  readonly agentVersion: string;
}

export interface EvcPool {
  readonly name: string;
  /** A key, with a revision or not; null: none. */
  readonly mode: string | null;
  /** What its VMs are given beside the mode. */
  readonly microcode: readonly string[];
  /** It has no hosts yet: the first one brings the microcode bits. */
  readonly empty?: boolean;
}

export interface RunningVm {
  readonly vm: string;
  /** All that its guest may see; null: not known. */
  readonly features: readonly string[] | null;
}

export interface Admission {
  /** The host may come exactly if none has severity `error`. */
  readonly findings: Finding[];
  /** The pool's microcode bits with this host in it. */
  readonly microcode: string[];
}

/**
 * Whether a host may come into a pool. A pool without a mode takes every host.
 * @param running on the host
 * @param inPool running on the pool's hosts
 */
export function hostAdmission(facts: {
  pool: EvcPool;
  host: EvcHost;
  running: readonly RunningVm[];
  inPool: readonly RunningVm[];
}): Admission {
  const { pool, host, running, inPool } = facts;
  if (pool.mode === null) return { findings: [], microcode: [] };
  const mode = evcModeNamed(pool.mode);
  const where: HostInPool = { host: host.name, pool: pool.name, mode: modeId(mode), change: "host" };
  const findings = hostFindings(where, host, mode);
  const microcode =
    pool.empty === true ? microcodeOf([host]) : pool.microcode.filter((feature) => canGive(host, feature));
  if (findings.length === 0) findings.push(...microcodeFindings(where, host, pool, inPool));
  const above = aboveMode(running, mode, microcode);
  if (above.length > 0) findings.push(finding("EVC_HOST_VMS_ABOVE", { ...where, vms: above }));
  return { findings, microcode };
}

export interface ModeChange {
  /** The pool may have the mode exactly if none has severity `error`. */
  readonly findings: Finding[];
  /** Running VMs that see less than the new mode, or another one: they get it when they are next powered on. */
  readonly pendingVms: string[];
  readonly microcode: string[];
}

/**
 * Whether a pool may be given a mode: raised, lowered, set for the first time or taken away (null).
 * @param running on the pool's hosts
 */
export function modeChange(facts: {
  pool: EvcPool;
  mode: string | null;
  hosts: readonly EvcHost[];
  running: readonly RunningVm[];
}): ModeChange {
  const { pool, hosts, running } = facts;
  if (facts.mode === null) return { findings: [], pendingVms: [], microcode: [] };
  const mode = evcModeNamed(facts.mode);
  const microcode = microcodeOf(hosts);
  const current = pool.mode === null ? null : evcModeNamed(pool.mode);
  const [change, id] = [{ pool: pool.name, mode: modeId(mode) }, modeId(mode)];
  const findings = hosts.flatMap((host) =>
    hostFindings({ ...change, host: host.name, change: "mode" }, host, mode),
  );
  if (current !== null && current.vendor !== mode.vendor && running.length > 0) {
    const vms = running.map(({ vm }) => vm).sort();
    findings.push(finding("EVC_MODE_OTHER_VENDOR", { ...change, current: modeId(current), vms }));
    return { findings, pendingVms: [], microcode };
  }
  const above = aboveMode(running, mode, microcode);
  findings.push(...above.map((one) => finding("EVC_MODE_VMS_ABOVE", { ...change, ...one })));
  const blocked = new Set(above.map(({ vm }) => vm));
  const given = exposedFeatures(mode, microcode);
  const pendingVms = running
    .filter(({ vm, features }) => !blocked.has(vm) && !given.every((name) => features?.includes(name)))
    .map(({ vm }) => vm)
    .sort();
  if (pendingVms.length > 0)
    findings.push(
      finding("EVC_MODE_AT_NEXT_POWER_ON", { pool: pool.name, mode: id, vms: pendingVms }, "warning"),
    );
  return { findings, pendingVms, microcode };
}

/**
 * An alarm when a host has less than it had, by microcode, firmware or kernel.
 * @param running on the host
 */
export function lostFeatureFindings(before: Cpu, after: Cpu, running: readonly RunningVm[]): Finding[] {
  const lost = [...before.features]
    .filter((name) => distinguishesCpus(name) && has(after, name) === false)
    .sort();
  const missing = missingOf(after, lost).filter(({ feature }) => featureNamed(feature)?.runtime === false);
  if (missing.length === 0) return [];
  const gone = new Set(missing.map(({ feature }) => feature));
  const vms = running.flatMap(({ vm, features }) => {
    const seen = features?.filter((name) => gone.has(name)) ?? [];
    return seen.length === 0 ? [] : [{ vm, features: seen }];
  });
  const details = { host: after.label, features: missing.map(refused), vms };
  return [finding("HOST_CPU_SHRANK", details, vms.length > 0 ? "error" : "warning")];
}

/** The microcode bits that all of these hosts can give to their VMs. */
export function microcodeOf(hosts: readonly EvcHost[]): string[] {
  const cpus = hosts.flatMap(({ cpu }) => cpu ?? []);
  if (cpus.length < hosts.length) return [];
  return microcodeSet(
    cpus,
    hosts.map(({ qemu }) => [...knownFeatures(qemu?.availableFeatures ?? [])]),
  );
}

/** What speaks against this host and this mode together, whatever runs. */
function hostFindings(where: HostInPool, host: EvcHost, mode: EvcMode): Finding[] {
  if (!host.connected) return [finding("EVC_HOST_DISCONNECTED", where)];
  const { cpu, agentVersion } = host;
  if (cpu === null) return [finding("EVC_HOST_CPU_UNREAD", { ...where, agentVersion })];
  const vendor = evcVendorOf(cpu);
  if (cpu.vendor === "unknown") return [finding("EVC_HOST_VENDOR_UNTOLD", where)];
  if (vendor === null) return [finding("EVC_HOST_VENDOR_UNKNOWN", { ...where, vendor: cpu.vendor })];
  if (vendor !== mode.vendor) {
    const modeVendor = { intel: "Intel", amd: "AMD", hygon: "Hygon", zhaoxin: "Zhaoxin" }[mode.vendor];
    return [finding("EVC_HOST_VENDOR_DIFFERS", { ...where, vendor: cpu.vendor, modeVendor })];
  }
  return [...hardwareFindings(where, host, cpu, mode), ...softwareFindings(where, host, cpu, mode)];
}

/**
 * What the hardware lacks of the mode, and of what QEMU's model for it has besides, such as `vme`: with it QEMU would power no VM
 * on there.
 */
function hardwareFindings(where: HostInPool, { qemu }: EvcHost, cpu: Cpu, mode: EvcMode): Finding[] {
  const besides = unavailableIn(qemu, mode).filter(
    (name) => has(cpu, name) !== true && !mode.features.includes(name),
  );
  const missing = [...missingFor(cpu, mode), ...missingOf(cpu, besides)];
  if (missing.length === 0) return [];
  // What a generation has is known in words of EVC modes, and of servers: desktops have some of later modes.
  const generation = isCommonSet(mode) || isOfDesktopGeneration(cpu) ? null : generationOf(cpu);
  const kind = { family: cpu.family ?? 0, model: cpu.model ?? 0, brand: cpu.brand.trim() };
  if (generation === "none") return [finding("EVC_HOST_HAS_NO_MODE", { ...where, ...kind })];
  const lacks = missing.filter(({ known }) => known);
  const untold = missing.filter(({ known }) => !known);
  const [never, others] =
    generation === null || includesMode(generation, mode)
      ? [[], lacks]
      : [
          lacks.filter(({ feature }) => !generation.features.includes(feature)),
          lacks.filter(({ feature }) => generation.features.includes(feature)),
        ];
  return [
    ...(never.length === 0 || generation === null
      ? []
      : [
          finding("EVC_HOST_GENERATION_LACKS", {
            ...where,
            ...kind,
            generation: generation.key,
            features: never.map(refused),
          }),
        ]),
    ...(others.length === 0
      ? []
      : [finding("EVC_HOST_FEATURES_MISSING", { ...where, features: others.map(refused) })]),
    ...(untold.length === 0
      ? []
      : [finding("EVC_HOST_FEATURES_UNTOLD", { ...where, features: untold.map(refused) })]),
  ];
}

/** What its QEMU and kernel cannot give although the hardware has it. */
function softwareFindings(
  where: HostInPool,
  { qemu, agentVersion }: EvcHost,
  cpu: Cpu,
  mode: EvcMode,
): Finding[] {
  if (qemu === null) return [finding("EVC_HOST_QEMU_UNTOLD", { ...where, agentVersion })];
  const { version, accelerator } = qemu;
  const { model, add } = mode.cpu;
  if (!qemu.cpuModels.some(({ name }) => name === model))
    return [finding("EVC_HOST_QEMU_OLD", { ...where, version, model, since: mode.qemuSince })];
  const available = knownFeatures(qemu.availableFeatures);
  const lacking = new Set([...unavailableIn(qemu, mode), ...add.filter((name) => !available.has(name))]);
  const features = [...lacking]
    .filter((name) => has(cpu, name) === true)
    .sort()
    .flatMap((name) => featureNamed(name) ?? [])
    .map((feature) => refusedFeature(feature, whyQemuLacks(feature, cpu, version, accelerator)));
  return features.length === 0 ? [] : [finding("EVC_HOST_QEMU_LACKS", { ...where, version, features })];
}

/** Of the mode's model what this QEMU cannot give, but for what the mode takes away. */
function unavailableIn(qemu: EvcHost["qemu"], { cpu: { model, remove } }: EvcMode): string[] {
  const definition = qemu?.cpuModels.find(({ name }) => name === model);
  return [...knownFeatures(definition?.unavailableFeatures ?? [])].filter((name) => !remove.includes(name));
}

/** All of the pool's VMs see a microcode bit or none does: it may only be dropped while nobody sees it. */
function microcodeFindings(
  where: HostInPool,
  host: EvcHost,
  pool: EvcPool,
  inPool: readonly RunningVm[],
): Finding[] {
  const lacking = pool.microcode.filter((feature) => !canGive(host, feature));
  const uses = (feature: string) => inPool.filter(({ features }) => features?.includes(feature) ?? true);
  const [used, unused] = [
    lacking.filter((one) => uses(one).length > 0),
    lacking.filter((one) => uses(one).length === 0),
  ];
  const vms = [...new Set(used.flatMap((feature) => uses(feature).map(({ vm }) => vm)))].sort();
  return [
    ...(used.length === 0
      ? []
      : [finding("EVC_HOST_MICROCODE_LACKS", { ...where, features: refusedBy(host, used), vms })]),
    ...(unused.length === 0
      ? []
      : [finding("EVC_POOL_DROPS_MICROCODE", { ...where, features: refusedBy(host, unused) }, "warning")]),
  ];
}

const canGive = ({ cpu, qemu }: EvcHost, feature: string): boolean =>
  cpu !== null && has(cpu, feature) === true && knownFeatures(qemu?.availableFeatures ?? []).has(feature);

/** In the hardware's terms where it lacks them, else in QEMU's. */
function refusedBy({ cpu, qemu }: EvcHost, names: readonly string[]): RefusedFeature[] {
  if (cpu === null) return [];
  const missing = missingOf(cpu, names);
  const there = names.filter((name) => !missing.some(({ feature }) => feature === name));
  return [
    ...missing.map(refused),
    ...there
      .flatMap((name) => featureNamed(name) ?? [])
      .map((feature) =>
        refusedFeature(feature, whyQemuLacks(feature, cpu, qemu?.version ?? "", qemu?.accelerator)),
      ),
  ];
}

const aboveMode = (
  running: readonly RunningVm[],
  mode: EvcMode,
  microcode: readonly string[],
): { vm: string; features: string[] | null }[] =>
  running.flatMap(({ vm, features }) => {
    const more = features === null ? null : beyond(features, mode, microcode);
    return more?.length === 0 ? [] : [{ vm, features: more }];
  });

function refused({ feature, why }: MissingFeature): RefusedFeature {
  const found = featureNamed(feature);
  if (found === undefined) throw new TypeError(`no feature ${feature} in the table`);
  return refusedFeature(found, why);
}

/** A feature in the words of a refusal. */
function refusedFeature(feature: CpuFeature, { cause, remedy }: Cause): RefusedFeature {
  const { name, leaf, subleaf, register, bit } = feature;
  const level = `0x${leaf.toString(16)}${subleaf === 0 ? "" : `, sub-leaf ${String(subleaf)}`}`;
  return { feature: name, place: { level, register, bit }, cause, remedy };
}
