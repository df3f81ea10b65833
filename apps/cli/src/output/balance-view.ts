/** How a pool balances itself, and a round of its balancer, as lines for people. Pure. */
import type {
  ConsolidationPolicy,
  ConsolidationStep,
  ConsolidationView,
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

export const consolidationText = (policy: ConsolidationPolicy | null): string =>
  policy === null
    ? "no host is powered off to save power"
    : `hosts are powered off while the others are used no more than ${String(policy.targetPercent)} %, after ${String(policy.stableSeconds)} s; ${String(policy.minHosts)} stay on`;

/** What a pool that saves power has decided last. */
export function decisionText({ pool, policy, acts, decision }: ConsolidationView): string {
  if (policy === null)
    return `Pool ${pool} does not save power. Switch it on: godwit pool set ${pool} --consolidate on`;
  const head = `Pool ${pool}: ${consolidationText(policy)}.`;
  if (decision === null)
    return `${head}\nNothing was decided yet: its automation is off, or this was set less than a minute ago.`;
  const { step, at, hosts } = decision;
  return [
    head,
    `At ${at}: ${stepText(step)}${acts ? "" : byHand(step)}`,
    formatTable([["HOST", "WHY"], ...hosts.map(({ host, reason }) => [host, reason])]),
  ].join("\n");
}

function stepText({ do: what, host, reason }: ConsolidationStep): string {
  const name = host ?? "";
  const words = {
    empty: `host ${name} is emptied, and then powered off`,
    off: `host ${name} is powered off`,
    wake: `host ${name} is woken`,
    takeBack: `host ${name} takes VMs again`,
    soon: `host ${name} is next to be powered off`,
    wait: `host ${name} is waited for`,
    nothing: "the pool stays as it is",
  };
  return `${words[what]}: ${reason}.`;
}

/** Where the pool's automation is not full. */
function byHand({ do: what, host }: ConsolidationStep): string {
  const name = host ?? "";
  const commands = {
    empty: `godwit host maintenance enter ${name}, then godwit host power off ${name}`,
    off: `godwit host power off ${name}`,
    wake: `godwit host power on ${name}`,
    takeBack: `godwit host maintenance exit ${name}`,
  };
  return what in commands
    ? ` The pool's automation is not full, so it is left to you: ${commands[what as keyof typeof commands]}`
    : "";
}

/** What was set of a pool. */
export interface PoolSettings extends Partial<PoolBalance> {
  restart?: "on" | "off";
  guestReset?: GuestResetPolicy | null;
  consolidation?: ConsolidationPolicy | null;
  health?: HealthPolicy;
  admission?: "on" | "off";
}

export function settingTexts({
  restart,
  guestReset,
  consolidation,
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
    ...(consolidation === undefined ? [] : [consolidationText(consolidation)]),
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
