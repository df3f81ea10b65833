/**
 * How it stands with a rolling update, and what follows: the order of the hosts, what the task shows, and how it ends. Read this table
 * first: each host goes down it, and may be stopped at any line. Pure.
 *
 *   waiting     its turn has not come
 *   waking      its pool had powered it off to save power: it is powered on, by a task of its own; then it waits again
 *   emptying    its VMs move away: a task of its own
 *   running     the command runs there
 *   rebooting   it is being booted again
 *   checking    what worked there before must work now
 *   returning   it takes VMs again, and those that left it come back
 *   done
 *   stopped     there was trouble: no other host begins
 */
import { GodwitError, type HostUpdate, type Problem, type TaskStep } from "@godwit/contract";

export const newHostUpdate = (host: string): HostUpdate => ({
  ...{ host, phase: "waiting", startedAt: null, endedAt: null, wasInMaintenance: false, worked: [] },
  ...{ bootId: null, exitCode: null, output: null, detail: null },
});

/** Those with the least to move first: what they get back is room for the others. */
export const updateOrder = <T extends { host: string; bytes: number }>(hosts: readonly T[]): T[] =>
  [...hosts].sort((a, b) => a.bytes - b.bytes || a.host.localeCompare(b.host));

/** The host whose turn it is; null: there is none left, or one was stopped. */
export function currentHost(hosts: readonly HostUpdate[]): HostUpdate | null {
  const next = hosts.find(({ phase }) => phase !== "done");
  return next === undefined || next.phase === "stopped" ? null : next;
}

const doing: Record<Exclude<HostUpdate["phase"], "waiting" | "done" | "stopped">, string> = {
  waking: "it is powered on",
  emptying: "its VMs move away",
  running: "the command runs",
  rebooting: "it is booted again",
  checking: "it is looked at",
  returning: "it takes VMs again",
};

export const updateSteps = (hosts: readonly HostUpdate[]): TaskStep[] =>
  hosts.flatMap(({ host, phase, startedAt, endedAt, detail }): TaskStep[] => {
    if (phase === "waiting" || startedAt === null) return [];
    const state = phase === "done" ? "done" : phase === "stopped" ? "failed" : "running";
    return [
      {
        ...{ key: "host", name: `update host ${host}`, subject: { kind: "host", id: host, name: host } },
        ...{ state, startedAt, endedAt },
        detail: phase === "done" || phase === "stopped" ? detail : doing[phase],
      },
    ];
  });

/** Why it has not done all of it; null: it has. @param inMaintenance whether the host that was stopped takes no VMs */
export function updateEnd(
  pool: string,
  hosts: readonly HostUpdate[],
  { cancelling, inMaintenance }: { cancelling: boolean; inMaintenance: boolean },
): Problem | null {
  const done = hosts.filter(({ phase }) => phase === "done").map(({ host }) => host);
  const left = hosts.filter(({ phase }) => phase === "waiting").map(({ host }) => host);
  const stopped = hosts.find(({ phase }) => phase === "stopped");
  if (stopped !== undefined) {
    const reason = stopped.detail ?? "it was stopped";
    const details = { pool, host: stopped.host, reason, inMaintenance, done, left };
    return GodwitError.of("POOL_UPDATE_STOPPED", details).problem;
  }
  if (left.length === 0) return null;
  return cancelling ? GodwitError.of("POOL_UPDATE_CANCELLED", { pool, done, left }).problem : null;
}

/** How a command ended, where that is trouble; null: well. */
export function commandTrouble(
  { state, exitCode, output }: { state: "ended" | "interrupted"; exitCode: number | null; output: string },
  timeoutSeconds: number,
): string | null {
  if (state === "interrupted" || exitCode === null)
    return "its command was interrupted, and what it has done is not known: the host was booted, or the command was ended";
  if (exitCode === 0) return null;
  const last = output.trimEnd().split("\n").at(-1)?.trim().slice(0, 200) ?? "";
  const words = last === "" ? "" : ` (${last.replace(/\.$/, "")})`;
  return exitCode === 124 || exitCode === 137
    ? `its command did not end within ${String(timeoutSeconds)} s${words}`
    : `its command ended with exit code ${String(exitCode)}${words}`;
}

/** What does not work any more, as a part of a sentence; null: all that did does. */
export function lostParts(worked: readonly string[], works: readonly string[]): string | null {
  const lost = worked.filter((part) => !works.includes(part));
  return lost.length === 0 ? null : `what worked before does not work there any more: ${lost.join(", ")}`;
}
