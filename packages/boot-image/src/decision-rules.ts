/**
 * Decisions of the report that follow from the model and from what registers say, as tables: asked of the
 * functions that decide, for every vendor, family and model and every combination of what can be observed.
 * Models that are answered alike in every combination share a row.
 */
import { flexMigrationOf, flexNote, vmware64Note, vmware64Of } from "@godwit/cpu";
import { vendors } from "./vendors.ts";

interface Kind {
  vendor: string;
  family: number;
  model: number;
}

interface Decided {
  has: boolean | null;
  because: string;
}

/** What can be observed: how many cases each. The image's program counts them in this order. */
const flexObservations = {
  virtual: 2,
  /** MSR 0xCE bit 31: not read, 0, 1. */
  faulting: 3,
  /** MSR 0xC0011004 could be read. */
  amdMask: 2,
  /** CPUID.80000021:EAX[17]. */
  userDisable: 2,
} as const;
const vmware64Observations = {
  virtual: 2,
  ...{ lm: 2, vmx: 2, svm: 2, noSegmentLimits: 2 },
  /** MSR 0x3A: not read, VMX on or not locked, locked off. */
  control: 3,
  /** None, Opteron or Turion, another. */
  brand: 3,
} as const;
type Observed<Counts> = Readonly<Record<keyof Counts, number>>;

/** Those that CPUs have, with room for the next ones. */
const families = [4, 5, 6, ...Array.from({ length: 0x11 }, (_, index) => 0xf + index)];
const models = Array.from({ length: 0x100 }, (_, model) => model);

export const decisionRules = (): string[][] => [
  ...tableOf("flexMigration", combinations(flexObservations).map(flexFacts), flexMigrationOf, flexNote),
  ...tableOf(
    "vmware64",
    combinations(vmware64Observations).map(vmware64Facts),
    vmware64Of,
    ({ has, because }) => (has === null ? vmware64Note(because) : ""),
  ),
];

const flexFacts = ({ virtual, faulting, amdMask, userDisable }: Observed<typeof flexObservations>) => ({
  virtual: virtual === 1,
  leaf21: userDisable === 1 ? 1 << 17 : 0,
  msrs: [
    ...(faulting === 0 ? [] : [{ msr: 0xce, value: faulting === 1 ? 0n : 1n << 31n }]),
    ...(amdMask === 0 ? [] : [{ msr: 0xc0011004, value: 0n }]),
  ],
});

const vmware64Facts = (observed: Observed<typeof vmware64Observations>) => ({
  virtual: observed.virtual === 1,
  longMode: observed.lm === 1,
  vmx: observed.vmx === 1,
  svm: observed.svm === 1,
  noSegmentLimits: observed.noSegmentLimits === 1,
  msrs: observed.control === 0 ? [] : [{ msr: 0x3a, value: observed.control === 1 ? 5n : 1n }],
  brand: ["", "Opteron", "another"][observed.brand] ?? "",
});

function tableOf<Facts>(
  question: string,
  cases: readonly Facts[],
  decide: (facts: Facts & Kind) => Decided,
  noteOf: (decided: Decided) => string,
): string[][] {
  const choices: string[][] = [];
  const numbers = {
    yes: new Map<string, number>(),
    no: new Map<string, number>(),
    unknown: new Map<string, number>(),
  };
  const numberOf = (decided: Decided): number => {
    const answer = decided.has === null ? "unknown" : decided.has ? "yes" : "no";
    const known = numbers[answer].get(decided.because);
    if (known !== undefined) return known;
    numbers[answer].set(decided.because, choices.length);
    return choices.push(["choice", question, String(choices.length), answer, noteOf(decided)]) - 1;
  };
  const kinds = [...vendors, "{vendor}"].flatMap((vendor) => {
    const alike = new Map<string, string[]>();
    for (const family of families) {
      for (const model of models) {
        const row = cases.map((facts) => numberOf(decide({ ...facts, vendor, family, model }))).join(" ");
        const members = alike.get(row) ?? [];
        alike.set(row, members);
        members.push(`${String(family)}.${String(model)}`);
      }
    }
    return [...alike].map(([row, members]) => ["kinds", question, vendor, members.join(" "), row]);
  });
  return [...choices, ...kinds];
}

/** Every combination; the last observation changes fastest. */
function combinations<Counts extends Readonly<Record<string, number>>>(counts: Counts): Observed<Counts>[] {
  return Object.entries(counts).reduce<Record<string, number>[]>(
    (all, [name, count]) =>
      all.flatMap((one) => Array.from({ length: count }, (_, value) => ({ ...one, [name]: value }))),
    [{}],
  ) as Observed<Counts>[];
}
