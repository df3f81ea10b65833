/**
 * How libvirt describes a CPU in XML: the host's in `virsh capabilities`, what guests can get in `virsh
 * domcapabilities` (its host-model), a plain `<cpu>` or the one of a `<domain>`, and the registers themselves in
 * `<cpudata>`. A model's name stands for the features of `named-models`. A feature that is not listed is absent
 * only where the libvirt that wrote the file surely had a name for it; otherwise it is not known.
 */
import { GodwitError } from "@godwit/contract";
import { hex32, type MsrKnowledge } from "../cpuid/leaves.ts";
import { featureNamed } from "../features/features.ts";
import { divideMsrNames, msrFeatureNamed, msrFeatures } from "../features/msr-features.ts";
import { libvirtModelNamed, nameableByLibvirt, type NamedModel } from "../named-models/named-models.ts";
import { broken, quoted, type FileName } from "./broken.ts";
import type { CpuSource, NamedCpu } from "./cpu-source.ts";
import { Dump } from "./dump.ts";
import { childOf, elementsNamed, parseXml, type XmlElement } from "./xml.ts";

const vendors: Readonly<Record<string, string>> = {
  Intel: "GenuineIntel",
  AMD: "AuthenticAMD",
  Hygon: "HygonGenuine",
};

/** What is described, and how it is to be understood. */
interface Found {
  readonly cpu: XmlElement;
  /** In words: whose CPU this is. */
  readonly what: string;
  /** The hypervisor that offers it to guests; null: a host's own. */
  readonly hypervisor: string | null;
  /** Everything that libvirt has a name for is listed, or part of the model. */
  readonly complete: boolean;
}

/** @throws CPU_FILE_BROKEN, CPU_NOT_X86, CPU_FILE_SEVERAL, CPU_FILE_WITHOUT_CPU */
export function readLibvirtXml(text: string, file: FileName): CpuSource {
  const root = parseXml(text, (line, problem) => broken(file, line, problem));
  const data = elementsNamed(root, "cpudata").at(0);
  if (data !== undefined) return fromRegisters(data, file);
  const found = find(root, file);
  const { cpu, what, hypervisor } = found;
  checkArchitecture(root, cpu, file);
  const { named, model, unnamed } = namedOf(found, file, root);
  const known = model === null ? undefined : libvirtModelNamed(model);
  const notes = [
    `libvirt's XML describes ${what}${model === null ? "" : ` as its model ${model} with changes`}.`,
    ...(model === null || known !== undefined
      ? []
      : [
          `The features that the model ${model} stands for are not listed in the XML, and Godwit does not know this model: they are not known.`,
        ]),
    ...(unnamed.length === 0
      ? []
      : [
          `Features that Godwit does not know by name: ${unnamed.slice(0, 20).join(", ")}${unnamed.length > 20 ? " …" : ""}.`,
        ]),
  ];
  return {
    format: "libvirt-xml",
    label: file.label,
    cpus: [],
    named,
    ...(hypervisor === null ? {} : { reported: { hypervisor, offered: true } }),
    notes,
  };
}

function find(root: XmlElement, file: FileName): Found {
  const mode = elementsNamed(root, "mode").find((one) => one.attributes.get("name") === "host-model");
  if (root.name === "domainCapabilities") {
    if (mode === undefined || mode.attributes.get("supported") === "no")
      throw withoutCpu(
        file,
        mode ?? root,
        "libvirt says that it has no host-model here, which would name model and features",
      );
    const kvm = childOf(root, "domain")?.text === "kvm";
    const hypervisor = kvm ? "KVMKVMKVM" : "TCGTCGTCGTCG";
    return { cpu: mode, what: "what guests can get", hypervisor, complete: true };
  }
  const hosts = elementsNamed(root, "host").flatMap((one) => childOf(one, "cpu") ?? []);
  const cpus = hosts.length > 0 ? hosts : elementsNamed(root, "cpu");
  const [cpu, another] = cpus;
  if (cpu === undefined) throw withoutCpu(file, root, `<${root.name}> has no <cpu>`);
  if (another !== undefined) {
    throw GodwitError.of("CPU_FILE_SEVERAL", {
      source: file.label,
      lines: cpus.map(({ line }) => line),
      cpus: cpus.map((one) => childOf(one, "model")?.text ?? "no model"),
    });
  }
  // Only a host's own CPU is described with its architecture, and without policies.
  if (hosts.length > 0 || childOf(cpu, "arch") !== undefined)
    return { cpu, what: "the host's CPU", hypervisor: null, complete: true };
  const passed = cpu.attributes.get("mode");
  if (
    passed === "host-passthrough" ||
    passed === "maximum" ||
    (passed === "host-model" && cpu.children.length === 0)
  )
    throw withoutCpu(file, cpu, `<cpu mode='${passed}'> only says to take what the host has`);
  const complete = cpu.attributes.get("check") === "full";
  return { cpu, what: "a guest's CPU", hypervisor: "unknown", complete };
}

const withoutCpu = (file: FileName, { line }: XmlElement, reason: string): GodwitError =>
  GodwitError.of("CPU_FILE_WITHOUT_CPU", { source: file.label, line, reason });

/** @throws CPU_NOT_X86 */
function checkArchitecture(root: XmlElement, cpu: XmlElement, file: FileName): void {
  const architecture =
    childOf(cpu, "arch")?.text ??
    (root.name === "domainCapabilities" ? childOf(root, "arch")?.text : undefined);
  if (architecture === undefined || /^(?:x86_64|i[3-6]86)$/.test(architecture)) return;
  throw GodwitError.of("CPU_NOT_X86", { source: file.label, architecture });
}

/** Libvirt leaves them out where transactional memory is known to be broken, though CPUID may show them. */
const transactions: ReadonlySet<string> = new Set(["hle", "rtm"]);

/** Whether the libvirt that wrote this is surely 9.0 or later, by what only later ones write. */
function isRecent(root: XmlElement, model: string): boolean {
  return (
    /-v\d+$/.test(model) ||
    ["blockers", "externalSnapshot"].some((name) => elementsNamed(root, name).length > 0) ||
    elementsNamed(root, "model").some(({ attributes }) => attributes.has("canonical"))
  );
}

interface ListedFeatures {
  readonly has: Set<string>;
  readonly lacks: Set<string>;
  readonly open: Set<string>;
  /** Listed by names that are none of the table. */
  readonly unnamed: string[];
}

function listedFeatures(cpu: XmlElement, file: FileName): ListedFeatures {
  const [has, lacks, open] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const unnamed: string[] = [];
  for (const element of cpu.children.filter((child) => child.name === "feature")) {
    const name = element.attributes.get("name");
    if (name === undefined) throw broken(file, element.line, "a <feature> needs a name");
    const feature = featureNamed(name) ?? msrFeatureNamed(name);
    const policy = element.attributes.get("policy") ?? "require";
    const into = { require: has, force: has, disable: lacks, forbid: lacks, optional: open }[policy];
    if (into === undefined)
      throw broken(
        file,
        element.line,
        `the policy force, require, optional, disable or forbid was expected for feature ${name}, and ${quoted(policy)} is there`,
      );
    if (feature === undefined) unnamed.push(name);
    else {
      into.add(feature.name);
      if (has.has(feature.name) && lacks.has(feature.name))
        throw broken(file, element.line, `the feature ${name} is both there and not there`);
    }
  }
  return { has, lacks, open, unnamed };
}

function namedOf(
  { cpu, complete }: Found,
  file: FileName,
  root: XmlElement,
): { named: NamedCpu; model: string | null; unnamed: string[] } {
  const listed = listedFeatures(cpu, file);
  const model = childOf(cpu, "model")?.text ?? null;
  if (model === null && listed.has.size + listed.lacks.size + listed.open.size + listed.unnamed.length === 0)
    throw withoutCpu(file, cpu, `<${cpu.name}> names neither a model nor a feature`);
  const known = model === null ? undefined : libvirtModelNamed(model);
  const has = withModel(listed, known);
  const nameable = complete && known !== undefined ? nameableByLibvirt(isRecent(root, known.name)) : [];
  const absent = [...nameable].filter(
    (name) =>
      !has.has(name) && !listed.open.has(name) && known?.left.has(name) !== true && !transactions.has(name),
  );
  const signature = childOf(cpu, "signature");
  const topology = childOf(cpu, "topology");
  const vendor = childOf(cpu, "vendor")?.text;
  return {
    named: {
      vendor: vendor === undefined ? null : (vendors[vendor] ?? vendor),
      family: numberIn(signature, "family"),
      model: numberIn(signature, "model"),
      stepping: numberIn(signature, "stepping"),
      brand: null,
      logicalCpus: root.name === "capabilities" ? logicalCpusOf(topology) : null,
      features: divideMsrNames(has).others,
      lacks: divideMsrNames(new Set([...listed.lacks, ...absent])).others,
      msrFeatures: msrKnowledge(has, listed.lacks, absent),
    },
    model: model === "" ? null : model,
    unnamed: listed.unnamed,
  };
}

/**
 * libvirt leaves a register out that it could not read: of what is not listed only that is absent which stands in
 * a register of which something else is there.
 */
function msrKnowledge(
  has: ReadonlySet<string>,
  lacks: ReadonlySet<string>,
  absent: readonly string[],
): MsrKnowledge {
  const there = divideMsrNames(has).msr;
  const wasRead = new Set(msrFeatures.filter(({ name }) => there.includes(name)).map(({ msr }) => msr));
  const unlisted = msrFeatures
    .filter(({ name, msr }) => absent.includes(name) && wasRead.has(msr))
    .map(({ name }) => name);
  return { has: there, lacks: [...new Set([...divideMsrNames(lacks).msr, ...unlisted])] };
}

/** What the model and the list together say is there. */
const withModel = ({ has, lacks, open }: ListedFeatures, model: NamedModel | undefined): Set<string> =>
  new Set([
    ...has,
    ...[...(model?.features ?? []), ...(model?.msrFeatures ?? [])].filter(
      (name) => !lacks.has(name) && !open.has(name),
    ),
  ]);

function logicalCpusOf(topology: XmlElement | undefined): number | null {
  const [sockets, cores, threads] = ["sockets", "cores", "threads"].map((name) => numberIn(topology, name));
  const dies = numberIn(topology, "dies") ?? 1;
  if (sockets == null || cores == null || threads == null) return null;
  return sockets * dies * cores * threads;
}

function numberIn(element: XmlElement | undefined, name: string): number | null {
  const text = element?.attributes.get(name);
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : null;
}

/** `<cpudata>`: what libvirt's own tests keep of a CPU. */
function fromRegisters(data: XmlElement, file: FileName): CpuSource {
  const dump = new Dump(file);
  for (const element of data.children) {
    const read = (name: string): number => registerIn(element, name, file);
    if (element.name === "cpuid") {
      const answers = [read("eax"), read("ebx"), read("ecx"), read("edx")] as const;
      const subleaf = element.attributes.has("ecx_in") ? read("ecx_in") : 0;
      dump.leaf(element.line, read("eax_in"), subleaf, answers);
    } else if (element.name === "msr") {
      const value = BigInt(`${hex32(read("edx"))}${hex32(read("eax")).slice(2)}`);
      dump.msr(null, { msr: read("index"), value });
    }
  }
  const { cpus, notes } = dump.finish(data.line);
  return { format: "libvirt-xml", label: file.label, cpus, named: null, notes };
}

function registerIn(element: XmlElement, name: string, file: FileName): number {
  const text = element.attributes.get(name) ?? "";
  if (/^0x[0-9a-f]{1,8}$/i.test(text)) return Number.parseInt(text, 16);
  throw broken(
    file,
    element.line,
    `${name}='0x…' was expected in <${element.name}>, and ${quoted(text)} is there`,
  );
}
