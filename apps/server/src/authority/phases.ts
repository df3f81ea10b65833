/**
 * A certificate authority gives way to a new one in three phases, each of which must have reached every host before the
 * next: at no moment is there a host that meets a certificate whose authority it does not trust. Pure.
 *
 * | phase     | signs | trusted     | a host is ready when                        |
 * | --------- | ----- | ----------- | ------------------------------------------- |
 * | trusting  | old   | old and new | it trusts both                              |
 * | replacing | new   | old and new | its own certificate is of the new one       |
 * | closing   | new   | new         | it trusts the new one only                  |
 */
import type { AuthorityView, HostTrust } from "@godwit/contract";

export const phases = ["trusting", "replacing", "closing"] as const satisfies readonly NonNullable<
  AuthorityView["phase"]
>[];
export type RotationPhase = NonNullable<AuthorityView["phase"]>;

export function isReady(
  phase: RotationPhase,
  { authorities, issuedBy }: HostTrust,
  { before, next }: { before: string; next: string },
): boolean {
  switch (phase) {
    case "trusting":
      return authorities.includes(before) && authorities.includes(next);
    case "replacing":
      return authorities.includes(next) && issuedBy === next;
    case "closing":
      return issuedBy === next && authorities.every((one) => one === next);
  }
}

/** Null: the rotation has ended. */
export const phaseAfter = (phase: RotationPhase): RotationPhase | null =>
  phases[phases.indexOf(phase) + 1] ?? null;
