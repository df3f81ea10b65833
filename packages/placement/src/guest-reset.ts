/**
 * Whether a VM is reset because its guest hangs. Only evidence counts: its guest agent must have answered before, and must have been
 * watched without a gap for so long; a guest that uses a disk or sends packets works. Pure.
 */
import type { GuestResetPolicy, GuestSigns, VmView } from "@godwit/contract";
import { ofKind, type PoolRule } from "./rules/pool-rule.ts";

export interface GuestFacts {
  vm: Pick<VmView, "state">;
  policy: GuestResetPolicy;
  /** A task works on it. */
  isBusy: boolean;
  /** Null: its host tells nothing of its guest. */
  signs: GuestSigns | null;
  /** Resets within the last hour, by the pool. */
  resets: number;
}

/** `left`: it hangs, and was reset as often as it may be. */
export type GuestVerdict = { do: "reset" | "left"; silentSeconds: number } | { do: "nothing" };

export function judgeGuest({ vm, policy, isBusy, signs, resets }: GuestFacts): GuestVerdict {
  if (vm.state !== "running" || isBusy || signs?.hasAnswered !== true) return { do: "nothing" };
  const { silenceSeconds, graceSeconds, mostResets } = policy;
  const { watchedSeconds, silentSeconds, idleSeconds } = signs;
  if (watchedSeconds < graceSeconds || silentSeconds === null || idleSeconds === null)
    return { do: "nothing" };
  const quietSeconds = Math.min(silentSeconds, idleSeconds, watchedSeconds);
  if (quietSeconds < silenceSeconds) return { do: "nothing" };
  return { do: resets < mostResets ? "reset" : "left", silentSeconds: Math.round(silentSeconds) };
}

/** When each VM is reset, by its id: as its rule says, or else its pool. A VM that is left alone is not in it. */
export function guestPolicies(
  vms: readonly Pick<VmView, "id">[],
  rules: readonly PoolRule[],
  policy: GuestResetPolicy | null,
  usual: GuestResetPolicy,
): Map<VmView["id"], GuestResetPolicy> {
  const byRule = new Map(
    [...ofKind(rules, "guestReset")].flatMap(({ rule, terms }) =>
      rule.vms.map(({ id }) => [id, terms.enabled] as const),
    ),
  );
  return new Map(
    vms.flatMap(({ id }) => {
      const isWanted = byRule.get(id) ?? policy !== null;
      return isWanted ? [[id, policy ?? usual] as const] : [];
    }),
  );
}
