/** CPU masks as people read them. */
import type { Finding } from "@godwit/contract";
import type { ExplainedBit, QemuMask } from "@godwit/cpu";
import { formatTable } from "./format.ts";
import { findingLines } from "./problem.ts";

interface Explanation {
  host: string | null;
  bits: readonly ExplainedBit[];
  features: readonly { name: string; rule: string; value: number; host: number | null }[];
  complete: boolean;
  /** The mode that all of it is, as vSphere writes it for per-VM EVC. */
  perVmEvc: string | null;
  /** Keys of a vendor that is not this CPU's. */
  ignored: readonly string[];
  findings: readonly Finding[];
}

/** Bits that are hidden only along with another are told in one line for each of these. */
export function explanationText(
  { host, bits, features, complete, perVmEvc, ignored, findings }: Explanation,
  everyBit: boolean,
): string {
  const hostColumn = (text: string): string[] => (host === null ? [] : [text]);
  const alone = bits.filter(({ origin, hiddenBy }) => everyBit || origin === "VM" || hiddenBy === null);
  return [
    ...(host === null ? [] : [`On ${host}:`, ""]),
    ...(perVmEvc === null ? [] : [`This is per-VM EVC: the mode ${perVmEvc}.`, ""]),
    formatTable([
      ["WHERE", "FEATURE", "MASK", "FROM", ...hostColumn("HOST"), "GUEST SEES", "POWER-ON", "MOVE"],
      ...alone.map((one) => [
        one.place,
        [one.feature ?? "-", ...(one.vmware === null ? [] : [`(${one.vmware})`])].join(" "),
        one.character,
        one.origin,
        ...hostColumn(one.host === null ? "?" : String(one.host)),
        one.guest,
        one.powerOn ?? "-",
        one.move ?? "-",
      ]),
    ]),
    ...(everyBit ? [] : hiddenAlong(bits)),
    ...(features.length === 0
      ? []
      : [
          "",
          formatTable([
            ["BY NAME", "MASK", ...hostColumn("HOST HAS")],
            ...features.map(({ name, rule, value, host: has }) => [
              name,
              `${rule}:${numberText(value)}`,
              ...hostColumn(has === null ? "?" : numberText(has)),
            ]),
          ]),
        ]),
    ...(complete ? ["", "The masks by name are complete: a feature that they do not name is hidden."] : []),
    ...(ignored.length === 0
      ? []
      : ["", `Not for this vendor, or the vendor is not known (--vendor, --host): ${ignored.join(", ")}.`]),
    ...(findings.length === 0
      ? []
      : ["", `The VM could not be powered on at ${host ?? "this host"}:`, ...findingLines(findings)]),
  ].join("\n");
}

function hiddenAlong(bits: readonly ExplainedBit[]): string[] {
  const byParent = new Map<string, string[]>();
  for (const { feature, hiddenBy, host, origin } of bits) {
    if (feature === null || hiddenBy === null || origin === "VM" || host === 0) continue;
    byParent.set(hiddenBy, [...(byParent.get(hiddenBy) ?? []), feature]);
  }
  return [...byParent].flatMap(([parent, children]) => [
    "",
    `Hidden along with ${parent}: ${children.join(", ")}.`,
  ]);
}

/** @param evcMode the mode that the masks are, where they are per-VM EVC */
export function qemuMaskText(
  argument: string,
  { checks, findings, neverShown }: QemuMask,
  evcMode: string | null = null,
): string {
  return [
    `-cpu ${argument}`,
    ...(evcMode === null ? [] : ["", `These masks are per-VM EVC with the mode ${evcMode}.`]),
    ...(checks.length === 0
      ? []
      : [
          "",
          formatTable([
            ["CHECKED", "FEATURE", "POWER-ON", "MOVE"],
            ...checks.map(({ place, feature, powerOn, move }) => [
              place,
              feature ?? "-",
              powerOn === null ? "-" : `must be ${String(powerOn)}`,
              move === "equal" ? "must be alike on both hosts" : `must be ${String(move)} at the destination`,
            ]),
          ]),
        ]),
    ...(neverShown.length === 0 ? [] : ["", `QEMU never shows ${neverShown.join(", ")}: nothing to hide.`]),
    ...(findings.length === 0 ? [] : ["", ...findingLines(findings)]),
  ].join("\n");
}

const numberText = (value: number): string => (value <= 9 ? String(value) : `0x${value.toString(16)}`);
