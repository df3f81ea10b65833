/**
 * What `xe host-cpu-info` prints of a XenServer or XCP-ng host: Xen's feature sets, words of 32 bits in the order of
 * its public `cpufeatureset.h`. The four words of `features` in old releases are the host's registers; the longer
 * sets for HVM guests are what Xen offers to them.
 */
import { bitOf, type Register } from "../cpuid/leaves.ts";
import { features } from "../features/features.ts";
import { broken, quoted, type FileName } from "./broken.ts";
import type { CpuSource } from "./cpu-source.ts";

type Place = readonly [leaf: number, subleaf: number, register: Register];

const newOrder: readonly Place[] = [
  [1, 0, "edx"],
  [1, 0, "ecx"],
  [0x80000001, 0, "edx"],
  [0x80000001, 0, "ecx"],
  [0xd, 1, "eax"],
  [7, 0, "ebx"],
  [7, 0, "ecx"],
  [0x80000007, 0, "edx"],
  [0x80000008, 0, "ebx"],
  [7, 0, "edx"],
];
const oldOrder: readonly Place[] = [
  [1, 0, "ecx"],
  [1, 0, "edx"],
  [0x80000001, 0, "ecx"],
  [0x80000001, 0, "edx"],
];

/** Whether a line is one that only this format has. */
export const isXeLine = (line: string): boolean =>
  /^\s*features(?:_hvm|_pv)?(?:_host)?\s*:\s*[0-9a-f]{8}-/i.test(line);

/** @throws CPU_FILE_BROKEN */
export function readXeHostCpuInfo(lines: readonly string[], file: FileName): CpuSource {
  const fields = new Map<string, { value: string; line: number }>();
  lines.forEach((text, index) => {
    const [, key, value = ""] = /^\s*([a-z_]{1,40})\s*:\s*(.*)$/.exec(text) ?? [];
    if (key !== undefined) fields.set(key, { value: value.trim(), line: index + 1 });
  });
  const found = ["features_hvm_host", "features_hvm", "features"].find((key) => fields.has(key));
  if (found === undefined) throw broken(file, lines.length, 'the line "features_hvm: …" was expected');
  const { value, line } = fields.get(found) ?? { value: "", line: 0 };
  const words = value.split("-");
  if (words.length < 4 || !words.every((word) => /^[0-9a-f]{8}$/i.test(word)))
    throw broken(
      file,
      line,
      `words of eight hexadecimal digits were expected, and ${quoted(value)} is there`,
    );
  const isHosts = found === "features" && words.length === 4;
  const order = isHosts ? oldOrder : newOrder;
  const has: string[] = [];
  const lacks: string[] = [];
  for (const { name, leaf, subleaf, register, bit } of features) {
    const index = order.findIndex((at) => at[0] === leaf && at[1] === subleaf && at[2] === register);
    const word = words[index];
    if (word !== undefined) (bitOf(Number.parseInt(word, 16), bit) ? has : lacks).push(name);
  }
  const number = (key: string): number | null => {
    const text = fields.get(key)?.value ?? "";
    return /^\d{1,6}$/.test(text) ? Number(text) : null;
  };
  return {
    format: "xe-host-cpu-info",
    label: file.label,
    cpus: [],
    named: {
      vendor: fields.get("vendor")?.value ?? null,
      family: number("family"),
      model: number("model"),
      stepping: number("stepping"),
      brand: fields.get("modelname")?.value ?? null,
      logicalCpus: number("cpu_count"),
      features: has,
      lacks,
    },
    reported: isHosts ? {} : { hypervisor: "XenVMMXenVMM", offered: true },
    notes: [`Of Xen's feature sets "${found}" was read.`],
  };
}
