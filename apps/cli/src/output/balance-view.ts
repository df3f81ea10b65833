/** How a pool balances itself, and a round of its balancer, as lines for people. Pure. */
import type {
  FrozenVm,
  GuestResetPolicy,
  HealthPolicy,
  PoolBalance,
  PoolRestarts,
  PoolRound,
} from "@godwit/contract";
import { formatTable } from "./format.ts";

export const balanceText = ({ automation, threshold, goal }: PoolBalance): string =>
  automation === "off"
    ? "automation off"
    : `automation ${automation}, threshold ${String(threshold)}, goal ${goal}`;

export function roundText(pool: string, round: PoolRound | null, frozen: readonly FrozenVm[]): string {
  const alarms = frozen.map(
    ({ vm, until, task }) =>
      `VM ${vm} is left alone until ${until}: its last move failed (godwit task show ${task}).`,
  );
  if (round === null)
    return [
      ...alarms,
      `Pool ${pool} has not been planned by its balancer. Switch it on: godwit pool set ${pool} --automation manual`,
    ].join("\n");
  const { moves, stuck, unmeasured, balance } = round;
  return [
    ...alarms,
    `Round ${String(round.round)} of ${round.at}, ${balanceText(balance)}.`,
    ...(unmeasured.length === 0
      ? []
      : [`The load of ${unmeasured.join(", ")} is not known for long enough: only what must be moves them.`]),
    ...(stuck.length === 0 ? [] : [`No host has room for: ${stuck.join(", ")}.`]),
    moves.length === 0
      ? "No VM is to move."
      : formatTable([
          ["", "VM", "FROM", "TO", "WHY", "STATE"],
          ...moves.map(({ vm, from, to, reason, detail, state, gain, cost, risk }, index) => [
            String(index + 1),
            ...[vm, from ?? "-", to],
            reason === "must"
              ? "must not stay"
              : `saves ${gain.toFixed(0)}, costs ${(cost + risk).toFixed(0)}`,
            detail === null ? state : `${state}: ${detail}`,
          ]),
        ]),
  ].join("\n");
}

export const restartText = (restarts: boolean): string =>
  restarts ? "VMs that died are started again" : "VMs that died are not started again";

export const admissionText = (isAsked: boolean): string =>
  isAsked
    ? "VMs start only where the pool then still bears the loss of any one host"
    : "VMs start whether or not the pool then still bears the loss of a host";

export const healthText = (policy: HealthPolicy): string =>
  ({
    ask: "hosts that are not well are an alarm",
    quarantine: "hosts that are not well take no VM",
    evacuate: "hosts that are not well take no VM, and those that may fail are emptied",
  })[policy];

export const guestResetText = (policy: GuestResetPolicy | null): string =>
  policy === null
    ? "VMs whose guests hang are left alone"
    : `VMs are reset whose guests give no sign for ${String(policy.silenceSeconds)} s, ${String(policy.graceSeconds)} s after their start at the earliest, ${String(policy.mostResets)} times an hour at most`;

/** What was set of a pool. */
export interface PoolSettings extends Partial<PoolBalance> {
  restart?: "on" | "off";
  guestReset?: GuestResetPolicy | null;
  health?: HealthPolicy;
  admission?: "on" | "off";
}

export function settingTexts({
  restart,
  guestReset,
  health,
  admission,
  automation,
  threshold,
  goal,
}: PoolSettings): string[] {
  return [
    ...(automation === undefined || threshold === undefined || goal === undefined
      ? []
      : [balanceText({ automation, threshold, goal })]),
    ...(restart === undefined ? [] : [restartText(restart === "on")]),
    ...(guestReset === undefined ? [] : [guestResetText(guestReset)]),
    ...(health === undefined ? [] : [healthText(health)]),
    ...(admission === undefined ? [] : [admissionText(admission === "on")]),
  ];
}

export function restartsText({ pool, since, vms }: PoolRestarts): string {
  if (since === null)
    return `Pool ${pool} does not start VMs again that died. Switch it on: godwit pool set ${pool} --restart on`;
  if (vms.length === 0) return `No VM of pool ${pool} is dead.`;
  return formatTable([
    ["VM", "RAN ON", "PRIORITY", "STATE"],
    ...vms.map(({ vm, host, priority, state, reason, task }) => [
      ...[vm, host, priority],
      `${state === "starting" ? "starts" : state}${state === "starting" ? " " : ": "}${reason}${task === null ? "" : ` (godwit task show ${task})`}`,
    ]),
  ]);
}
