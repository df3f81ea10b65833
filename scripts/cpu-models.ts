/**
 * Writes `packages/cpu/src/named-models/tables.ts`: which features libvirt's and QEMU's named CPU models stand for.
 * `npm run cpu-models -- --libvirt 9.0.0=FOLDER --libvirt 11.3.0=FOLDER --qemu BINARY`: the folders are libvirt's
 * `cpu_map`, the oldest first; the newest one's models are taken. Features are matched by their bits, not by names.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
// Not the package: what is written here is a part of it.
import { features } from "../packages/cpu/src/features/features.ts";
import { msrFeatures } from "../packages/cpu/src/features/msr-features.ts";
import { readOptions, wrongUsage } from "./options.ts";

interface Model {
  vendor: string | null;
  features: ReadonlySet<string>;
  /** Features that the definition once had; a host of the model may have them or not. */
  left: ReadonlySet<string>;
}

interface CpuMap {
  /** Names of Godwit's table by libvirt's. */
  names: ReadonlyMap<string, string>;
  models: ReadonlyMap<string, Model>;
}

const usage =
  "usage: npm run cpu-models -- --libvirt VERSION=FOLDER [--libvirt VERSION=FOLDER]… [--qemu BINARY]…";
const values = readOptions(usage, {
  libvirt: { type: "string", multiple: true },
  qemu: { type: "string", multiple: true },
});
const vendors: Readonly<Record<string, string>> = {
  Intel: "GenuineIntel",
  AMD: "AuthenticAMD",
  Hygon: "HygonGenuine",
};
const maps = (values.libvirt ?? []).map((one) => {
  const [version = "", folder = ""] = one.split("=");
  return { version, map: readCpuMap(folder) };
});
const qemus = (values.qemu ?? ["qemu-system-x86_64"]).map(readQemu);
const [oldest] = maps;
const newest = maps.at(-1);
if (oldest === undefined || newest === undefined) wrongUsage(usage, "--libvirt VERSION=FOLDER is missing.");

const models = new Map(newest.map.models);
for (const { map } of maps) for (const [name, model] of map.models) merge(name, model);
/** A version of QEMU's model never changes: the first QEMU that has it says what it is. */
const ofQemu = new Map(qemus.flatMap((qemu) => [...qemu.models]).reverse());

const text = `/**
 * What libvirt's and QEMU's named CPU models have, in names of the feature table. Where both have a model of one
 * name, libvirt's has only what it takes for granted in a host of that kind. Facts, read from libvirt's
 * \`cpu_map\` (${maps.map(({ version }) => version).join(", ")}) and from QEMU's \`query-cpu-model-expansion\` (${qemus.map(({ version }) => version).join(", ")})
 * by \`npm run cpu-models\`; not written by hand.
 */
export interface ModelRow {
  readonly name: string;
  readonly vendor?: string;
  /** An earlier row that it is written as a change of. */
  readonly from?: string;
  readonly plus?: string;
  readonly minus?: string;
  /** Once part of the model's definition: a CPU that is described by its name may have them or not. */
  readonly left?: string;
}

/** Features that libvirt ${oldest.version} has a name for, and so every later one. */
export const libvirtFeatures = ${JSON.stringify([...new Set(oldest.map.names.values())].sort().join(" "))};

export const libvirtModels: readonly ModelRow[] = ${JSON.stringify(rowsOf(models))};

export const qemuModels: readonly ModelRow[] = ${JSON.stringify(rowsOf(ofQemu))};
`;
const file = join(import.meta.dirname, "../packages/cpu/src/named-models/tables.ts");
writeFileSync(file, text);
spawnSync("npx", ["prettier", "--write", file], { stdio: "inherit" });

/** What two releases of libvirt say differently of a model is left open. */
function merge(name: string, model: Model): void {
  const known = models.get(name);
  if (known === undefined) {
    models.set(name, model);
    return;
  }
  const differing = [...known.features.symmetricDifference(model.features)];
  models.set(name, {
    ...known,
    features: known.features.difference(new Set(differing)),
    left: new Set([...known.left, ...model.left, ...differing]),
  });
}

function readCpuMap(folder: string): CpuMap {
  const byPlace = new Map(
    features.map(({ name, leaf, subleaf, register, bit }) => [
      [leaf, subleaf, register, bit].join("."),
      name,
    ]),
  );
  const names = new Map<string, string>();
  for (const [, name = "", body = ""] of read(folder, "x86_features.xml").matchAll(
    /<feature name='([^']+)'[^>]*>(.*?)<\/feature>/gs,
  )) {
    const [, leaf, subleaf = "0", words = ""] =
      /<cpuid eax_in='(\w+)'(?: ecx_in='(\w+)')?([^/]*)\/>/.exec(body) ?? [];
    const [, msr, high = "0", low = "0"] = /<msr index='(\w+)' edx='(\w+)' eax='(\w+)'\/>/.exec(body) ?? [];
    const inMsr = msrFeatures.find(
      (one) =>
        one.parent !== "vmx" &&
        one.msr === Number(msr) &&
        1n << BigInt(one.bit) === (BigInt(high) << 32n) + BigInt(low),
    );
    if (inMsr !== undefined) names.set(name, inMsr.name);
    for (const [, register = "", word = ""] of words.matchAll(/(e[abcd]x)='(0x\w+)'/g)) {
      const place = [Number(leaf), Number(subleaf), register, Math.log2(Number(word))].join(".");
      const own = byPlace.get(place);
      if (own !== undefined) names.set(name, own);
    }
  }
  const bodies = new Map(
    readdirSync(folder)
      .filter((file) => /^x86_.*\.xml$/.test(file))
      .flatMap((file) => [...read(folder, file).matchAll(/<model name='([^']+)'>(.*?)<\/model>/gs)])
      .map(([, name = "", body = ""]) => [name, body]),
  );
  const done = new Map<string, Model>();
  const modelOf = (name: string): Model => {
    const known = done.get(name);
    if (known !== undefined) return known;
    const body = bodies.get(name) ?? "";
    const base = /<model name='([^']+)'\/>/.exec(body)?.[1];
    const from = base === undefined ? null : modelOf(base);
    const has = new Set(from?.features);
    const left = new Set(from?.left);
    for (const [, feature = "", attributes = ""] of body.matchAll(/<feature name='([^']+)'([^/]*)\/>/g)) {
      const own = names.get(feature);
      if (own === undefined) continue;
      const changed = /\b(?:removed|added)='yes'/.test(attributes);
      (changed ? left : has).add(own);
      if (changed) has.delete(own);
    }
    const vendor = /<vendor name='([^']+)'\/>/.exec(body)?.[1];
    const model = { vendor: vendors[vendor ?? ""] ?? from?.vendor ?? null, features: has, left };
    done.set(name, model);
    return model;
  };
  for (const name of [...bodies.keys()].sort()) modelOf(name);
  return { names, models: new Map([...done].sort(([one], [other]) => (one < other ? -1 : 1))) };
}

function readQemu(binary: string): { version: string; models: ReadonlyMap<string, Model> } {
  const ask = (commands: readonly (readonly [string, object])[]): unknown[] => {
    const lines = [["qmp_capabilities", {}] as const, ...commands, ["quit", {}] as const].map(
      ([execute, args]) => JSON.stringify({ execute, arguments: args }),
    );
    const { stdout } = spawnSync(
      binary,
      ["-no-user-config", "-nodefaults", "-display", "none", "-machine", "none", "-S", "-qmp", "stdio"],
      { input: `${lines.join("\n")}\n`, encoding: "utf8", maxBuffer: 1 << 28 },
    );
    return stdout
      .split("\n")
      .filter((line) => line.includes('"return"') || line.includes('"error"'))
      .map((line) => (JSON.parse(line) as { return?: unknown }).return)
      .slice(1, -1);
  };
  const [version, definitions] = ask([
    ["query-version", {}],
    ["query-cpu-definitions", {}],
  ]) as [{ qemu: { major: number; minor: number; micro: number } }, { name: string; "alias-of"?: string }[]];
  const own = definitions
    .filter((one) => one["alias-of"] === undefined && !["host", "max", "base"].includes(one.name))
    .map(({ name }) => name)
    .sort();
  const expanded = ask(
    own.map((name) => ["query-cpu-model-expansion", { type: "full", model: { name } }] as const),
  ) as ({ model: { props: Record<string, unknown> } } | undefined)[];
  const { major, minor, micro } = version.qemu;
  return {
    version: [major, minor, micro].join("."),
    models: new Map(
      own.flatMap((name, index) => {
        const props = expanded[index]?.model.props;
        if (props === undefined) return [];
        const named = [
          ...features.filter((one) => !one.runtime),
          ...msrFeatures.filter((one) => one.parent !== "vmx"),
        ];
        const has = named.filter((one) => props[one.name] === true);
        const vendor = typeof props.vendor === "string" ? props.vendor : null;
        return [[name, { vendor, features: new Set(has.map((one) => one.name)), left: new Set<string>() }]];
      }),
    ),
  };
}

/** Each as a change of the earlier row that is nearest to it. */
function rowsOf(models: ReadonlyMap<string, Model>): object[] {
  const written: [string, Model][] = [];
  return [...models].map(([name, model]) => {
    const distance = (other: Model): number => model.features.symmetricDifference(other.features).size;
    const nearest = written.reduce<[string, Model] | null>(
      (best, one) => (best === null || distance(one[1]) < distance(best[1]) ? one : best),
      null,
    );
    const base =
      nearest !== null && distance(nearest[1]) < model.features.size ? nearest : ([null, null] as const);
    const from: ReadonlySet<string> = base[1]?.features ?? new Set<string>();
    written.push([name, model]);
    const list = (set: ReadonlySet<string>): string | undefined =>
      set.size === 0 ? undefined : [...set].sort().join(" ");
    return {
      name,
      vendor: model.vendor ?? undefined,
      from: base[0] ?? undefined,
      plus: list(model.features.difference(from)),
      minus: list(from.difference(model.features)),
      left: list(model.left),
    };
  });
}

function read(folder: string, file: string): string {
  return readFileSync(join(folder, file), "utf8").replace(/<!--.*?-->/gs, "");
}
