/**
 * What QEMU answers to `query-cpu-model-expansion`, by QMP or by `virsh qemu-monitor-command`: every property of a CPU
 * model, as QEMU can give it to guests on that host. The models `max` and `host` describe the host, as far as its
 * hypervisor passes it on; a named one describes what guests with it see.
 */
import { features, featureNamed } from "../features/features.ts";
import { msrFeatureNamed } from "../features/msr-features.ts";
import { broken, type FileName } from "./broken.ts";
import type { CpuSource } from "./cpu-source.ts";

type Properties = Readonly<Record<string, unknown>>;

/** undefined: the document is no such answer. */
function expansionIn(document: unknown): { name: string; props: Properties } | undefined {
  const inner = (value: unknown, key: string): unknown =>
    typeof value === "object" && value !== null ? (value as Properties)[key] : undefined;
  const model = inner(inner(document, "return") ?? document, "model");
  const [name, props] = [inner(model, "name"), inner(model, "props")];
  if (typeof name !== "string" || typeof props !== "object" || props === null) return undefined;
  return { name, props: props as Properties };
}

/** Of a QMP session's transcript the last such answer; undefined: there is none. */
function lastExpansionIn(text: string): ReturnType<typeof expansionIn> {
  const parse = (piece: string): unknown => {
    try {
      return JSON.parse(piece);
    } catch {
      return undefined;
    }
  };
  const whole = expansionIn(parse(text));
  if (whole !== undefined) return whole;
  return text
    .split(/\r?\n/)
    .filter((line) => line.includes('"props"'))
    .map((line) => expansionIn(parse(line)))
    .findLast((one) => one !== undefined);
}

/** Whether a text is one that only this format is. */
export const isQemuExpansion = (text: string): boolean =>
  /"props"\s*:\s*\{/.test(text) && /"model"\s*:\s*\{/.test(text);

/** @throws CPU_FILE_BROKEN */
export function readQemuExpansion(text: string, file: FileName): CpuSource {
  const expansion = lastExpansionIn(text);
  if (expansion === undefined)
    throw broken(file, null, 'an answer with "model", its "name" and its "props" was expected');
  const { name, props } = expansion;
  const has = new Set<string>();
  const lacks = new Set<string>();
  const msr = { has: new Set<string>(), lacks: new Set<string>() };
  for (const [property, on] of Object.entries(props)) {
    if (typeof on !== "boolean") continue;
    const own = featureNamed(property);
    if (own !== undefined) (on ? has : lacks).add(own.name);
    const inRegister = msrFeatureNamed(property);
    if (inRegister !== undefined) (on ? msr.has : msr.lacks).add(inRegister.name);
  }
  if (has.size + lacks.size < 20)
    throw broken(file, null, 'it has too few "props": expand the model with the type "full"');
  const runtime = new Set(features.filter((one) => one.runtime).map((one) => one.name));
  const number = (key: string): number | null => {
    const value = props[key];
    return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : null;
  };
  const string = (key: string): string | null => (typeof props[key] === "string" ? props[key] : null);
  const isKvm = Object.entries(props).some(
    ([key, on]) => on === true && /^kvm-?(?:asyncpf|clock|nopiodelay)/.test(key),
  );
  return {
    format: "qemu",
    label: file.label,
    cpus: [],
    named: {
      vendor: string("vendor"),
      ...{ family: number("family"), model: number("model"), stepping: number("stepping") },
      brand: string("model-id")?.trim() ?? null,
      logicalCpus: null,
      features: [...has],
      lacks: [...lacks].filter((one) => !has.has(one) && !runtime.has(one)),
      msrFeatures: { has: [...msr.has], lacks: [...msr.lacks].filter((one) => !msr.has.has(one)) },
    },
    reported: { hypervisor: isKvm ? "KVMKVMKVM" : "unknown", offered: true },
    notes: [
      name === "max" || name === "host" || name === "base"
        ? "QEMU's answer describes what guests can get on its host. The hardware may have more."
        : `QEMU's answer describes its model ${name}, not what its host can give.`,
    ],
  };
}
