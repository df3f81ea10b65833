/** CPUs that were never built, and writers of every format of dump: what is written must be read back. */
import fc from "fast-check";
import type { CpuidLeaf, LogicalCpu } from "../../src/index.ts";

/** `GenuineIntel` and the like as leaf 0 holds it. */
export function leaf0(highest: number, vendor: string): CpuidLeaf {
  const [ebx = 0, edx = 0, ecx = 0] = [0, 4, 8].map((at) => Buffer.from(vendor, "latin1").readUInt32LE(at));
  return { leaf: 0, subleaf: 0, eax: highest, ebx, ecx, edx };
}

/** Leaves 0x80000002 to 0x80000004. */
export function brandLeaves(brand: string): CpuidLeaf[] {
  const bytes = Buffer.alloc(48);
  bytes.write(brand, "latin1");
  return [0, 1, 2].map((index) => ({
    leaf: 0x80000002 + index,
    subleaf: 0,
    eax: bytes.readUInt32LE(index * 16),
    ebx: bytes.readUInt32LE(index * 16 + 4),
    ecx: bytes.readUInt32LE(index * 16 + 8),
    edx: bytes.readUInt32LE(index * 16 + 12),
  }));
}

const empty = (leaf: number, subleaf = 0): CpuidLeaf => ({ leaf, subleaf, eax: 0, ebx: 0, ecx: 0, edx: 0 });

/** A server part like a Broadwell, as a 64-bit program reads it on bare metal. */
export const server: readonly CpuidLeaf[] = [
  leaf0(0xd, "GenuineIntel"),
  { leaf: 1, subleaf: 0, eax: 0x000406f1, ebx: 0x00100800, ecx: 0x7ffefbff, edx: 0xbfebfbff },
  ...[2, 3].map((leaf) => empty(leaf)),
  { leaf: 4, subleaf: 0, eax: 0x1c004121, ebx: 0x01c0003f, ecx: 0x3f, edx: 0 },
  { leaf: 4, subleaf: 1, eax: 0x1c004122, ebx: 0x01c0003f, ecx: 0x3f, edx: 0 },
  empty(5),
  { leaf: 6, subleaf: 0, eax: 0x77, ebx: 2, ecx: 9, edx: 0 },
  { leaf: 7, subleaf: 0, eax: 0, ebx: 0x021cbfbb, ecx: 0, edx: 0x9c000400 },
  ...[8, 9, 0xa].map((leaf) => empty(leaf)),
  { leaf: 0xb, subleaf: 0, eax: 1, ebx: 2, ecx: 0x100, edx: 0 },
  { leaf: 0xb, subleaf: 1, eax: 4, ebx: 0x10, ecx: 0x201, edx: 0 },
  empty(0xc),
  { leaf: 0xd, subleaf: 0, eax: 7, ebx: 0x340, ecx: 0x340, edx: 0 },
  { leaf: 0xd, subleaf: 1, eax: 1, ebx: 0, ecx: 0, edx: 0 },
  { leaf: 0xd, subleaf: 2, eax: 0x100, ebx: 0x240, ecx: 0, edx: 0 },
  { leaf: 0x80000000, subleaf: 0, eax: 0x80000008, ebx: 0, ecx: 0, edx: 0 },
  { leaf: 0x80000001, subleaf: 0, eax: 0, ebx: 0, ecx: 0x121, edx: 0x2c100800 },
  ...brandLeaves("Example(R) Server CPU @ 2.00GHz"),
  empty(0x80000005),
  { leaf: 0x80000006, subleaf: 0, eax: 0, ebx: 0, ecx: 0x01006040, edx: 0 },
  { leaf: 0x80000007, subleaf: 0, eax: 0, ebx: 0, ecx: 0, edx: 0x100 },
  { leaf: 0x80000008, subleaf: 0, eax: 0x302e, ebx: 0, ecx: 0, edx: 0 },
];

export const cpuOfLeaves = (leaves: readonly CpuidLeaf[], id: number | null = 0): LogicalCpu => ({
  id,
  leaves,
  msrs: [],
});

/** Leaves with one of them changed. */
export const changed = (
  leaves: readonly CpuidLeaf[],
  leaf: number,
  change: Partial<CpuidLeaf>,
): CpuidLeaf[] => leaves.map((one) => (one.leaf === leaf && one.subleaf === 0 ? { ...one, ...change } : one));

const hex = (value: number, digits = 8): string => value.toString(16).padStart(digits, "0");
const HEX = (value: number, digits = 8): string => hex(value, digits).toUpperCase();

export type Aida64Variant = "colon" | "tab" | "tight" | "spaces";

export function aida64(cpus: readonly LogicalCpu[], variant: Aida64Variant): string {
  return cpus
    .map(({ id, leaves, msrs }, index) => {
      const lines = leaves.map(({ leaf, subleaf, eax, ebx, ecx, edx }) => {
        const words = [eax, ebx, ecx, edx].map((word) => HEX(word));
        const numbered = leaves.some((one) => one.leaf === leaf && one.subleaf > 0);
        if (variant === "spaces")
          return `CPUID ${HEX(leaf)}: ${words.join(" ")}${numbered ? ` [SL ${HEX(subleaf, 2)}]` : ""}`;
        const between = { colon: ": ", tab: "  \t", tight: " :" }[variant];
        return `CPUID ${HEX(leaf)}${between}${words.join("-")}${numbered ? ` [SL ${HEX(subleaf, 2)}] [note]` : ""}`;
      });
      const values = msrs.map(({ msr, value }) =>
        value === null
          ? `MSR ${HEX(msr)}: < FAILED >`
          : `MSR ${HEX(msr)}: ${value
              .toString(16)
              .padStart(16, "0")
              .toUpperCase()
              .replace(/(....)(?=.)/g, "$1-")}`,
      );
      const name = String(id ?? index);
      const heading = {
        colon: `------[ Logical CPU #${name} ]------`,
        tab: `CPUID Registers (CPU #${name}):`,
        tight: `CPU#${name.padStart(3, "0")} AffMask: 0x0000000000000001`,
        spaces: `------[ CPUID Registers / Logical CPU #${name} ]------`,
      }[variant];
      return [
        heading,
        "",
        ...lines,
        "",
        ...(values.length > 0
          ? [`------[ MSR Registers / Logical CPU #${name} ]------`, "", ...values, ""]
          : []),
      ].join("\n");
    })
    .join("\n");
}

export const cpuidRaw = (cpus: readonly LogicalCpu[]): string =>
  cpus
    .map(({ id, leaves }) =>
      [
        id === null ? "CPU:" : `CPU ${String(id)}:`,
        ...leaves.map(
          ({ leaf, subleaf, eax, ebx, ecx, edx }) =>
            `   0x${hex(leaf)} 0x${hex(subleaf, 2)}: eax=0x${hex(eax)} ebx=0x${hex(ebx)} ecx=0x${hex(ecx)} edx=0x${hex(edx)}`,
        ),
        "",
      ].join("\n"),
    )
    .join("");

/** libcpuid's own way asks for 32 leaves of each range, whatever the CPU announces; and for few subleaves. */
export function libcpuid(leaves: readonly CpuidLeaf[]): string {
  const at = (leaf: number, subleaf = 0) =>
    leaves.find((one) => one.leaf === leaf && one.subleaf === subleaf);
  const highest = at(0)?.eax ?? 0;
  const words = (leaf: CpuidLeaf | undefined) =>
    [leaf?.eax, leaf?.ebx, leaf?.ecx, leaf?.edx].map((word) => hex(word ?? 0)).join(" ");
  const range = (name: string, first: number, beyond: CpuidLeaf | undefined) =>
    Array.from(
      { length: 32 },
      (_, index) => `${name}[${String(index)}]=${words(at(first + index) ?? beyond)}`,
    );
  return [
    ...range("basic_cpuid", 0, at(highest)),
    ...range("ext_cpuid", 0x80000000, undefined),
    ...[0, 1, 2, 3].map((index) => `intel_fn4[${String(index)}]=${words(at(4, index))}`),
    "",
  ].join("\n");
}

const word = fc.integer({ min: 0, max: 0xffffffff });

/** Any leaves that a CPU could have: each announced, each once, sorted. */
export const anyLeaves: fc.Arbitrary<CpuidLeaf[]> = fc
  .record({
    vendor: fc.constantFrom("GenuineIntel", "AuthenticAMD", "HygonGenuine", "CentaurHauls"),
    basic: fc.integer({ min: 1, max: 0x1f }),
    extended: fc.integer({ min: 1, max: 0x21 }),
    words: fc.array(fc.tuple(word, word, word, word), { minLength: 70, maxLength: 70 }),
    subleaves: fc.array(
      fc.tuple(fc.constantFrom(4, 7, 0xb, 0xd, 0xf, 0x10, 0x8000001d), fc.integer({ min: 1, max: 62 }), word),
      {
        maxLength: 8,
      },
    ),
  })
  .map(({ vendor, basic, extended, words, subleaves }) => {
    const last = 0x80000000 + extended;
    const plain = [
      ...Array.from({ length: basic + 1 }, (_, index) => index),
      ...Array.from({ length: extended + 1 }, (_, index) => 0x80000000 + index),
    ].map((leaf, index): CpuidLeaf => {
      if (leaf === 0) return leaf0(basic, vendor);
      const [eax = 0, ebx = 0, ecx = 0, edx = 0] = words[index] ?? [];
      return { leaf, subleaf: 0, eax: leaf === 0x80000000 ? last : eax, ebx, ecx, edx };
    });
    const more = new Map(
      subleaves
        .filter(([leaf]) => leaf <= basic || (leaf > 0x80000000 && leaf <= last))
        .map(([leaf, subleaf, eax]) => [
          `${String(leaf)}.${String(subleaf)}`,
          { leaf, subleaf, eax, ebx: 1, ecx: 2, edx: 3 },
        ]),
    );
    return [...plain, ...more.values()].sort((a, b) => a.leaf - b.leaf || a.subleaf - b.subleaf);
  });

/** What VMware's utility prints of a Xeon E5450. @param id1ecx its one value that VMware has published two of */
export const harpertownReport = (id1ecx: string, stepping: string): string => `
Family: 06 Model: 17 Stepping: ${stepping}

ID1ECX    ID1EDX    ID81ECX    ID81EDX
${id1ecx} 0xbfebfbff 0x00000001 0x20100000

Vendor           : Intel
Brand String      : "Intel(R) Xeon(R) CPU           E5450  @ 3.00GHz"
SSE Support       : SSE1, SSE2, SSE3, SSSE3, SSE4.1
Supports NX / XD  : Yes
Supports CMPXCHG16B : Yes
Supports RDTSCP   : No
Hyperthreading    : Yes
Supports Flex Migration : Yes
Supports 64-bit Longmode : Yes
Supports 64-bit VMware : Yes
Supported EVC modes : intel-merom, intel-penryn
`;
