/**
 * Two CPUs beside each other: may a VM that sees all of the one move to the other, with no baseline between
 * them; every bit that differs and how it is judged (`rules.ts`); and what baseline would make one pool of both.
 * What a source does not tell never makes a move allowed that could have been refused for it.
 */
import { likelyCause, type Cause } from "../causes/causes.ts";
import { likelyMsrCause } from "../causes/msr-causes.ts";
import { placeOf, type Register } from "../cpuid/leaves.ts";
import type { CpuFeature } from "../features/feature.ts";
import { features } from "../features/features.ts";
import { msrPlaceOf } from "../features/msr-features.ts";
import type { Cpu } from "../cpuid/cpu.ts";
import { warningsOf } from "./warnings.ts";
import { commonBaseline, type CommonBaseline } from "./common-baseline.ts";
import { judge, ruleOf, presenceOf, type Rule, type Presence, type Verdict } from "./rules.ts";
import { directionOf, whyJudged, whyMsrJudged, type Direction } from "./direction.ts";
import { msrDifferences, type MsrDifference } from "./msr-rules.ts";

export interface FeatureDifference {
  readonly feature: string;
  /** VMware's name; null where it has none. */
  readonly vmware: string | null;
  /** Where it stands in CPUID; null where it stands in a model-specific register. */
  readonly leaf: number | null;
  readonly subleaf: number | null;
  readonly register: Register | null;
  /** The model-specific register that it stands in; null: it is a bit of CPUID. */
  readonly msr: number | null;
  readonly bit: number;
  /** The same for people: `CPUID.7.0:EBX[9]`, `MSR 0x10A[8]`. */
  readonly place: string;
  readonly level: CpuFeature["level"];
  readonly microcode: boolean;
  /** Whether A and B have it; null: its source does not say. */
  readonly a: Presence;
  readonly b: Presence;
  /** The rule that it falls under; see the table in `rules.ts`. */
  readonly rule: Rule;
  /** What it means for a VM that moves. */
  readonly aToB: Verdict;
  readonly bToA: Verdict;
  /** Why it is judged so: a sentence. */
  readonly why: string;
  /** Why the one that lacks it probably does, and what to do. Null where it refuses nothing. */
  readonly likely: Cause | null;
}

export interface CpuComparison {
  readonly a: ComparedCpu;
  readonly b: ComparedCpu;
  /** A VM may move both ways. */
  readonly compatible: boolean;
  readonly aToB: Direction;
  readonly bToA: Direction;
  /** What refuses comes first, then what is not known, then what is ignored; each in the order of CPUID. */
  readonly differences: readonly FeatureDifference[];
  /** Features that neither is known to have, and that could refuse a move if one had them: sorted names, of CPUID and of registers. */
  readonly untold: readonly string[];
  /** What to know beyond features: sentences. */
  readonly warnings: readonly string[];
  /** The highest EVC mode that both satisfy; null: there is none. */
  readonly baseline: CommonBaseline | null;
}

export type ComparedCpu = Pick<Cpu, "label" | "vendor" | "family" | "model" | "stepping" | "brand">;

/** What can differ at all, with what is the same for each pair of CPUs; run-time state is left out. */
const comparable = features
  .map((feature) => ({ feature, rule: ruleOf(feature), place: placeOf(feature) }))
  .filter(({ rule }) => rule !== "state");
type Comparable = (typeof comparable)[number];

/** Compares two CPUs as hosts that share no baseline. Their labels appear in the sentences and should differ. */
export function compareCpus(a: Cpu, b: Cpu): CpuComparison {
  const differences: FeatureDifference[] = [];
  const silent: Undecided[] = [];
  for (const one of comparable) {
    const { feature, rule } = one;
    const inA = presenceOf(a, feature);
    const inB = presenceOf(b, feature);
    if (inA === inB && inA !== null) continue;
    if (inA === true || inB === true) differences.push(differenceOf(one, [a, inA], [b, inB]));
    else silent.push({ feature: feature.name, rule, a: inA, b: inB });
  }
  const msr = msrDifferences(a, b);
  const differing = msr.filter((one) => one.a === true || one.b === true);
  differences.push(...differing.map((one) => msrDifferenceOf(one, a, b)));
  differences.sort((one, other) => rank(one) - rank(other));
  const aToB = directionOf(
    a,
    b,
    differences.flatMap(({ feature, rule, msr, aToB, a: source }) =>
      msr === null ? [{ feature, rule, verdict: aToB, source }] : [],
    ),
    silent.filter((one) => judge(one.rule, one.a, one.b) === "unknown"),
    msr.map(({ feature, rule, aToB, a: source }) => ({ feature: feature.name, rule, verdict: aToB, source })),
  );
  const bToA = directionOf(
    b,
    a,
    differences.flatMap(({ feature, rule, msr, bToA, b: source }) =>
      msr === null ? [{ feature, rule, verdict: bToA, source }] : [],
    ),
    silent.filter((one) => judge(one.rule, one.b, one.a) === "unknown"),
    msr.map(({ feature, rule, bToA, b: source }) => ({ feature: feature.name, rule, verdict: bToA, source })),
  );
  return {
    a: identityOf(a),
    b: identityOf(b),
    compatible: aToB.verdict === "may" && bToA.verdict === "may",
    aToB,
    bToA,
    differences,
    untold: [
      ...silent.filter(
        ({ rule, a: inA, b: inB }) =>
          judge(rule, inA, inB) === "unknown" || judge(rule, inB, inA) === "unknown",
      ),
      ...msr
        .filter((one) => !differing.includes(one) && (one.aToB === "unknown" || one.bToA === "unknown"))
        .map(({ feature }) => ({ feature: feature.name })),
    ]
      .map(({ feature }) => feature)
      .sort(),
    warnings: warningsOf(a, b),
    baseline: commonBaseline([a, b]),
  };
}

function differenceOf(
  { feature, rule, place }: Comparable,
  [a, inA]: readonly [Cpu, Presence],
  [b, inB]: readonly [Cpu, Presence],
): FeatureDifference {
  const aToB = judge(rule, inA, inB);
  const bToA = judge(rule, inB, inA);
  const [having, lacking, told] = inA === true ? [a, b, inB] : [b, a, inA];
  const refuses = aToB !== "may" || bToA !== "may";
  return {
    feature: feature.name,
    vmware: feature.vmware,
    leaf: feature.leaf,
    subleaf: feature.subleaf,
    register: feature.register,
    msr: null,
    bit: feature.bit,
    place,
    level: feature.level,
    microcode: feature.microcode,
    a: inA,
    b: inB,
    rule,
    aToB,
    bToA,
    why: whyJudged(rule, having.label, lacking.label, told),
    likely: refuses ? likelyCause(feature, having, lacking) : null,
  };
}

function msrDifferenceOf(
  { feature, rule, a: inA, b: inB, aToB, bToA }: MsrDifference,
  a: Cpu,
  b: Cpu,
): FeatureDifference {
  const [having, lacking, told] = inA === true ? [a, b, inB] : [b, a, inA];
  return {
    feature: feature.name,
    ...{ vmware: null, leaf: null, subleaf: null, register: null, msr: feature.msr, bit: feature.bit },
    place: msrPlaceOf(feature),
    ...{ level: "kernel", microcode: true, a: inA, b: inB, rule, aToB, bToA },
    why: whyMsrJudged(feature, rule, having.label, lacking.label, told),
    likely: aToB === "may" && bToA === "may" ? null : likelyMsrCause(feature, lacking.label, told),
  };
}

/** A feature that neither is known to have. */
interface Undecided {
  readonly feature: string;
  readonly rule: Rule;
  readonly a: Presence;
  readonly b: Presence;
}

const rank = ({ aToB, bToA }: FeatureDifference): number =>
  aToB === "may-not" || bToA === "may-not" ? 0 : aToB === "unknown" || bToA === "unknown" ? 1 : 2;

const identityOf = ({ label, vendor, family, model, stepping, brand }: Cpu): ComparedCpu => ({
  label,
  vendor,
  family,
  model,
  stepping,
  brand,
});
