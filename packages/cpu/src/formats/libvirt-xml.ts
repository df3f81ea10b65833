/**
 * How libvirt describes a CPU in XML: the host's in `virsh capabilities`, what guests can get in `virsh
 * domcapabilities` (its host-model), a plain `<cpu>` or the one of a `<domain>`, and the registers themselves in
 * `<cpudata>`. A model's name stands for features that only libvirt's own tables list: they are not known here.
 */
import { hex32 } from "../cpuid/leaves.ts";
import { featureNamed } from "../features/features.ts";
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
}

/** @throws CPU_FILE_BROKEN */
export function readLibvirtXml(text: string, file: FileName): CpuSource {
  const root = parseXml(text, file);
  const data = elementsNamed(root, "cpudata").at(0);
  if (data !== undefined) return fromRegisters(data, file);
  const { cpu, what, hypervisor } = find(root, file);
  const { named, model, unnamed } = namedOf(cpu, file, root);
  const notes = [
    `libvirt's XML describes ${what}${model === null ? "" : ` as its model ${model} with changes`}.`,
    ...(model === null
      ? []
      : [
          `The features that libvirt's model ${model} stands for are not listed in the XML, so they are not known.`,
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
    ...(hypervisor === null ? {} : { reported: { hypervisor } }),
    notes,
  };
}

function find(root: XmlElement, file: FileName): Found {
  const mode = elementsNamed(root, "mode").find((one) => one.attributes.get("name") === "host-model");
  if (root.name === "domainCapabilities") {
    if (mode === undefined || mode.attributes.get("supported") === "no")
      throw broken(
        file,
        (mode ?? root).line,
        "a <mode name='host-model' supported='yes'> was expected in <cpu>",
      );
    const kvm = childOf(root, "domain")?.text === "kvm";
    return { cpu: mode, what: "what guests can get", hypervisor: kvm ? "KVMKVMKVM" : "TCGTCGTCGTCG" };
  }
  const host = elementsNamed(root, "host").flatMap((one) => childOf(one, "cpu") ?? []);
  const cpu = host[0] ?? elementsNamed(root, "cpu").at(0);
  if (cpu === undefined) throw broken(file, root.line, `a <cpu> element was expected in <${root.name}>`);
  if (host[0] !== undefined) return { cpu, what: "the host's CPU", hypervisor: null };
  const passed = cpu.attributes.get("mode");
  if (
    passed === "host-passthrough" ||
    passed === "maximum" ||
    (passed === "host-model" && cpu.children.length === 0)
  )
    throw broken(
      file,
      cpu.line,
      `a CPU with its model and features was expected, and mode='${passed}' only says to take what the host has`,
    );
  return { cpu, what: "a guest's CPU", hypervisor: "unknown" };
}

function namedOf(
  cpu: XmlElement,
  file: FileName,
  root: XmlElement,
): { named: NamedCpu; model: string | null; unnamed: string[] } {
  const features = new Set<string>();
  const lacks = new Set<string>();
  const unnamed: string[] = [];
  for (const element of cpu.children.filter((child) => child.name === "feature")) {
    const name = element.attributes.get("name");
    if (name === undefined) throw broken(file, element.line, "a <feature> needs a name");
    const feature = featureNamed(name);
    const policy = element.attributes.get("policy") ?? "require";
    const has = { require: true, force: true, disable: false, forbid: false, optional: null }[policy];
    if (has === undefined)
      throw broken(
        file,
        element.line,
        `the policy force, require, optional, disable or forbid was expected for feature ${name}, and ${quoted(policy)} is there`,
      );
    if (feature === undefined) unnamed.push(name);
    else if (has !== null) {
      const [into, other] = has ? [features, lacks] : [lacks, features];
      if (other.has(feature.name))
        throw broken(file, element.line, `the feature ${name} is both there and not there`);
      into.add(feature.name);
    }
  }
  const model = childOf(cpu, "model")?.text ?? null;
  if (model === null && features.size + lacks.size + unnamed.length === 0)
    throw broken(file, cpu.line, `a <model> or <feature> was expected in <${cpu.name}>`);
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
      features: [...features],
      lacks: [...lacks],
    },
    model: model === "" ? null : model,
    unnamed,
  };
}

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
