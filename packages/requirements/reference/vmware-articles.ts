/** Articles of VMware's knowledge base about the same finding in vSphere, by number, where one is known. */
import type { ErrorCode, Finding } from "@godwit/contract";

type Articles = Partial<Record<Finding["severity"], readonly number[]>>;

const articles: Readonly<Record<string, Articles>> = {
  DESTINATION_CPU_LACKS: { error: [1003718, 1008315] },
  CDROM_HOST_LOCAL: { error: [1003787], warning: [1003794] },
  CDROM_UNREACHABLE: { error: [1003787], warning: [1003794] },
} satisfies Partial<Record<ErrorCode, Articles>>;

/** In words; empty: none is known. @param live how much it weighs of a VM that runs, and `atRest` of one that does not; null: not looked at */
export function articlesText(
  code: string,
  live: Finding["severity"] | null,
  atRest: Finding["severity"] | null,
): string {
  const of = articles[code] ?? {};
  const weights = [...new Set([live, atRest])].filter((weight) => weight !== null);
  const told = weights.flatMap((weight) =>
    (of[weight] ?? []).map((number) => `${String(number)} (${weight})`),
  );
  return told.length === 0 ? "" : ` VMware's knowledge base: ${told.join(", ")}.`;
}
