/** What one cell comes to: where the guest runs, what hangs, what is left over. Pure. */
import type { LoadReport } from "@godwit/lab";
import { table } from "../../measure/statistics.ts";
import type { Role } from "./scene.ts";
import type { HostState } from "./state.ts";

/** How the move's virsh ended. */
export type VirshEnd = "succeeded" | "failed" | "killed" | "hangs";

export interface Seen {
  peer: string;
  phase: string;
  fault: string;
  virsh: VirshEnd;
  /** Its words where it failed. */
  words: string;
  states: readonly HostState[];
  /** The fault took the only complete memory of the guest. */
  mayBeDead: boolean;
  /** Without being started again. */
  answers: boolean;
  doubledMs: number;
  recoveryMs: number | null;
  client: Pick<LoadReport, "acknowledged" | "lost" | "duplicated"> | null;
  /** QEMU's latest event before the fault, and how much earlier it was. */
  hit: { after: string; ms: number };
}

/** `dead`: with the only host that had it; `nowhere`: paused or gone although a complete memory was left. */
export type Outcome = "source" | "destination" | "both" | "dead" | "nowhere";

export interface Cell {
  peer: string;
  phase: string;
  fault: string;
  outcome: Outcome;
  runners: number;
  lost: number | null;
  duplicated: number | null;
  doubledMs: number;
  stuck: string[];
  leftovers: string[];
  recoveryMs: number | null;
  virsh: VirshEnd;
  words: string;
  hit: { after: string; ms: number };
}

/** The VM is on exactly one host, also as libvirt knows it, with nothing beside; or it is dead, and can be started. */
export function isSettled(states: readonly HostState[], mayBeDead: boolean): boolean {
  const alive = states.filter(({ isGone }) => !isGone);
  const runner = alive.find(({ running }) => running === true);
  if (runner === undefined)
    return mayBeDead && alive.every(({ qemus, domain }) => qemus === 0 && isOff(domain));
  return alive.every(({ role, qemus, domain }) =>
    role === runner.role ? qemus === 1 && domain === "running" : qemus === 0 && domain === "none",
  );
}

const isOff = (domain: string): boolean => domain === "shut off" || domain === "none";

export function cellOf(seen: Seen): Cell {
  const { states, virsh, mayBeDead, client, answers } = seen;
  const alive = states.filter(({ isGone }) => !isGone);
  const runners = alive.filter(({ running }) => running === true).map(({ role }) => role);
  const qemus = alive.reduce((sum, one) => sum + one.qemus, 0);
  const [only] = runners;
  const outcome: Outcome =
    runners.length > 1 ? "both" : (only ?? (mayBeDead && qemus === 0 ? "dead" : "nowhere"));
  return {
    ...{ peer: seen.peer, phase: seen.phase, fault: seen.fault, outcome, runners: runners.length },
    ...{ lost: client?.lost ?? null, duplicated: client?.duplicated ?? null },
    doubledMs: Math.round(seen.doubledMs),
    stuck: [
      ...alive.filter((one) => runners.length === 0 && one.qemus > 0).map(stuckQemu),
      ...alive.filter(({ domain }) => domain === "no answer").map(({ role }) => `libvirtd of ${role}`),
      ...(virsh === "hangs" ? ["virsh"] : []),
      ...(runners.length === 1 && !answers ? ["guest answers nothing"] : []),
    ],
    leftovers: alive.flatMap((state) => leftoversOn(state, runners, outcome)),
    recoveryMs: seen.recoveryMs === null ? null : Math.round(seen.recoveryMs),
    ...{ virsh, words: seen.words, hit: seen.hit },
  };
}

const stuckQemu = ({ role, running, reason }: HostState): string =>
  running === null ? `QEMU of ${role}` : `paused on ${role}${reason === "" ? "" : ` (${reason})`}`;

function leftoversOn(state: HostState, runners: readonly Role[], outcome: Outcome): string[] {
  const { role: name, qemus, domain, reason, taps } = state;
  const isRunner = runners.includes(name);
  const words = reason === "" ? domain : `${domain} (${reason})`;
  return [
    ...(!isRunner && runners.length > 0 && qemus > 0 ? [`QEMU on ${name}`] : []),
    ...(isRunner && domain !== "running" && domain !== "no answer"
      ? [`runs on ${name}, told as ${words}`]
      : []),
    ...(!isRunner && runners.length > 0 && !["none", "no answer"].includes(domain)
      ? [`domain on ${name} too: ${words}`]
      : []),
    ...(outcome === "dead" && !isOff(domain) && domain !== "no answer" ? [`dead, told as ${words}`] : []),
    ...(taps > qemus ? [`${String(taps - qemus)} taps on ${name}`] : []),
  ];
}

const heading = ["fault", "phase", "runs on", "virsh", "lost", "doubled", "twice ms", "recovered s"];

export function cellsText(cells: readonly Cell[]): string {
  const tables = [...new Set(cells.map(({ peer }) => peer))].map((peer) => {
    const rows = cells
      .filter((cell) => cell.peer === peer)
      .map((cell) => [
        ...[cell.fault, cell.phase, cell.outcome, cell.virsh],
        ...[cell.lost, cell.duplicated, cell.doubledMs].map((value) =>
          value === null ? "?" : String(value),
        ),
        cell.recoveryMs === null ? "never" : (cell.recoveryMs / 1000).toFixed(1),
        cell.stuck.join("; "),
        cell.leftovers.join("; "),
      ]);
    return `${peer}\n${table([[...heading, "stuck", "left over"], ...rows])}`;
  });
  return tables.join("\n\n");
}
