/**
 * Which VMs of a host that is to be emptied move next, and where to; asked again whenever something has
 * changed. The largest VM chooses first. Each takes, of the hosts that may have it, the one that the plan of all of
 * them gives it; while that one is taken, the one with the most memory left after what is promised to others. Limits say how many may move at once, in all and to each destination.
 */
import { finding, type Finding, type VmView } from "@godwit/contract";
import { mayMove } from "@godwit/requirements";

/** A VM that is to leave and is not on its way. */
export interface Mover {
  vm: VmView;
  /** A stopped one costs neither link nor memory. */
  live: boolean;
  /** Hosts that it did not reach before: others are tried first. */
  failedAt: readonly string[];
}

/** A host that may take VMs. */
export interface Target {
  name: string;
  availableBytes: number;
  /** Of that, what is promised to VMs on their way. */
  promisedBytes: number;
  /** Live moves on their way to it. */
  moves: number;
}

export interface Evacuation {
  host: string;
  movers: readonly Mover[];
  targets: readonly Target[];
  /** What a move there would be refused for when `availableBytes` of memory were free there. */
  judge: (mover: Mover, target: Target, availableBytes: number) => Finding[];
  /** Live moves that may begin now, in all and to each target. */
  limits: { free: number; perTarget: number };
  /** Hosts that the plan gives to VMs, by their ids. */
  planned: ReadonlyMap<string, string>;
  /** VMs that wait for the host of the plan where it can have them, by their ids: others must follow them there. */
  onlyPlanned: ReadonlySet<string>;
  /** Is told of each move that is to begin: what is judged after it counts it. */
  began: (mover: Mover, to: string) => void;
}

export interface NextMoves {
  begin: { mover: Mover; to: string }[];
  /** They may move, but not now. */
  waiting: Mover[];
  /** No host may have them as things are. */
  stuck: { mover: Mover; findings: Finding[] }[];
}

export function nextMoves(evacuation: Evacuation): NextMoves {
  const { host, movers, targets, judge, limits, planned, onlyPlanned, began } = evacuation;
  const next: NextMoves = { begin: [], waiting: [], stuck: [] };
  const left = targets.map((target) => ({ target, moves: target.moves, promised: target.promisedBytes }));
  let { free } = limits;
  for (const mover of bySize(movers)) {
    const judged = left.map((one) => ({
      one,
      findings: judge(mover, one.target, one.target.availableBytes - one.promised),
    }));
    const fit = judged
      .filter(({ findings }) => mayMove(findings))
      .map(({ one }) => one)
      .sort(
        (a, b) =>
          Number(mover.failedAt.includes(a.target.name)) - Number(mover.failedAt.includes(b.target.name)) ||
          Number(planned.get(mover.vm.id) === b.target.name) -
            Number(planned.get(mover.vm.id) === a.target.name) ||
          b.target.availableBytes - b.promised - (a.target.availableBytes - a.promised),
      );
    if (fit.length === 0) {
      const findings = judged.flatMap((one) => one.findings);
      next.stuck.push({ mover, findings: reasons(host, mover.vm, findings) });
      continue;
    }
    const own = onlyPlanned.has(mover.vm.id)
      ? fit.filter(({ target }) => planned.get(mover.vm.id) === target.name)
      : [];
    const best = (own.length > 0 ? own : fit).find(({ moves }) => !mover.live || moves < limits.perTarget);
    if (best === undefined || (mover.live && free < 1)) {
      next.waiting.push(mover);
      continue;
    }
    next.begin.push({ mover, to: best.target.name });
    began(mover, best.target.name);
    if (!mover.live) continue;
    best.moves += 1;
    best.promised += memoryBytes(mover.vm);
    free -= 1;
  }
  return next;
}

export const guestBytes = (vm: Pick<VmView, "config">): number => vm.config.memoryMib * 1024 * 1024;

/** What its guest takes of a host's ordinary memory: huge pages were set aside before, and are no part of what is available there. */
export const memoryBytes = (vm: Pick<VmView, "config">): number =>
  vm.config.hugepages === undefined ? guestBytes(vm) : 0;

const bySize = (movers: readonly Mover[]): Mover[] =>
  [...movers].sort(
    (a, b) => b.vm.config.memoryMib - a.vm.config.memoryMib || a.vm.name.localeCompare(b.vm.name),
  );

/** What keeps a VM, each thing once, with its name; hosts that are in maintenance themselves are no news. */
function reasons(host: string, vm: VmView, findings: readonly Finding[]): Finding[] {
  if (findings.length === 0) return [{ ...finding("DESTINATION_NONE", { host, vm: vm.name }), vm: vm.name }];
  const different = new Map(findings.map((one) => [`${one.code} ${one.message}`, one]));
  return [...different.values()].map((one) => ({ ...one, vm: vm.name }));
}
