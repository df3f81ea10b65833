/** What must never be, whatever fails, and what a good end is. */
import {
  AGENT,
  ALIVE,
  at,
  COMMANDS,
  COPY,
  COPY_IS_OLD,
  COPY_SHIFT,
  DIED,
  FENCED,
  FULL,
  HALF,
  BROKEN,
  LEASE,
  LOADED,
  LOST,
  OFF,
  PARTLY,
  QEMU,
  RECOVERS,
  SERVING,
  WAITS,
  RAN_AT_DESTINATION,
  RUNS,
  set,
  STALE,
  STANDS,
  type State,
  THIRD_RUNS,
  TOLD_LOST,
  TRUTH,
} from "./layout.ts";
import { endOfDisks, lookAtDisks } from "./disks.ts";
import { forgetStale } from "./lease-service.ts";
import { commandNames, hosts, IDLE } from "./names.ts";
import type { World } from "./world.ts";

/** Whether host `h` holds the guest's whole memory as it was last. */
export function isCurrent(w: World, h: number): boolean {
  const truth = at(w.now, TRUTH);
  const qemu = at(w.now, QEMU + h);
  if ((qemu & ALIVE) === 0) return false;
  // What has lost its stream in a post-copy can only go on at the destination.
  if (h === 0) return (truth & RAN_AT_DESTINATION) === 0 && (qemu & COPY) >> COPY_SHIFT !== BROKEN;
  const incoming = (qemu & COPY) >> COPY_SHIFT;
  return (incoming === FULL || incoming === LOADED) && (truth & COPY_IS_OLD) === 0;
}

const partly: readonly number[] = [PARTLY, WAITS, RECOVERS];

/** Whether the destination has loaded enough to let the guest run, but not all its memory. */
export function isPartly(f: State): boolean {
  if ((at(f, QEMU + 1) & ALIVE) === 0) return false;
  return partly.includes((at(f, QEMU + 1) & COPY) >> COPY_SHIFT);
}

/** Whether all that the destination needs to let the guest run is there, but not loaded yet. */
const arrives = (f: State): boolean =>
  (at(f, QEMU + 1) & ALIVE) !== 0 && (at(f, QEMU + 1) & COPY) >> COPY_SHIFT === HALF;

/** Whether the running guest's memory lies in both QEMUs, each of which has what the other has not. */
export const isShared = ({ now: f }: World): boolean =>
  isServing(f) && isPartly(f) && (at(f, TRUTH) & RAN_AT_DESTINATION) !== 0;

/** Whether the source sends the rest of a post-copy, or would. */
export function isServing(f: State): boolean {
  const source = at(f, QEMU);
  const copy = (source & COPY) >> COPY_SHIFT;
  return (source & ALIVE) !== 0 && (copy === SERVING || copy === BROKEN);
}

/** A fault is about to end host `h`'s QEMU. */
export function memoryGoes(w: World, h: number): void {
  const f = w.now;
  if ((at(f, QEMU + h) & ALIVE) === 0) return;
  // Once the rest of a post-copy is being sent, either end may be all that the other could go on with.
  if (!isCurrent(w, h) && !isServing(f)) return;
  set(f, TRUTH, DIED << h);
  if (!isCurrent(w, 1 - h)) set(f, TRUTH, LOST);
}

export function memoryGone(w: World): void {
  if (!isCurrent(w, 0) && !isCurrent(w, 1)) set(w.now, TRUTH, LOST);
}

export function finished(w: World, outcome: string): void {
  const truth = at(w.now, TRUTH);
  const ran = (truth & RAN_AT_DESTINATION) !== 0;
  if (outcome === "moved" && (truth & OFF) !== 0)
    w.broken("told as moved, but its guest had shut itself down before");
  if (outcome === "moved" && !ran) w.broken("told as moved, but it never ran at the destination");
  if (outcome === "stayed" && ran) w.broken("told as not moved, but it ran at the destination");
  if (outcome === "runs" && !ran) w.broken("told as running at the destination, but it never ran there");
  if (outcome === "gaveUp" && ran) w.broken("told as given up, but it ran at the destination");
  if (outcome === "lost") set(w.now, TRUTH, TOLD_LOST);
}

/** Looks at the whole after each event: what is true now, and whether it may be. */
export function look(w: World): void {
  const f = w.now;
  if ((at(f, STALE) | at(f, STALE + 1)) >> 6 !== 0) forgetStale(w);
  const [source, destination] = [at(f, QEMU), at(f, QEMU + 1)];
  const runsAtSource = (source & RUNS) !== 0;
  const runsAtDestination = (destination & RUNS) !== 0;
  const incoming = (destination & COPY) >> COPY_SHIFT;
  if (runsAtDestination) set(f, TRUTH, RAN_AT_DESTINATION);
  const hasFinal = incoming === FULL || incoming === HALF || incoming === LOADED || isPartly(f);
  if (runsAtSource && !runsAtDestination && hasFinal) set(f, TRUTH, COPY_IS_OLD);
  // A stream that breaks before the destination can let the guest run leaves nothing that could go on.
  const isBroken = (source & ALIVE) !== 0 && (source & COPY) >> COPY_SHIFT === BROKEN;
  if (isBroken && !arrives(f) && !isPartly(f) && !isCurrent(w, 1)) set(f, TRUTH, LOST);
  // Neither does the end of the rest, when the guest has run on without it.
  if ((at(f, TRUTH) & RAN_AT_DESTINATION) !== 0 && isPartly(f) && !isServing(f)) set(f, TRUTH, LOST);
  const truth = at(f, TRUTH);
  const runners = Number(runsAtSource) + Number(runsAtDestination) + Number((truth & THIRD_RUNS) !== 0);
  if (runners > 1) w.broken("the VM runs twice");
  if ((runsAtSource || runsAtDestination) && (truth & STANDS) !== 0) w.broken("a guest that was paused runs");
  if (runsAtSource && (truth & RAN_AT_DESTINATION) !== 0) w.broken("an old copy runs again at the source");
  if (runsAtDestination && (truth & COPY_IS_OLD) !== 0) w.broken("an old copy runs at the destination");
  if (runsAtDestination && incoming !== LOADED && !isPartly(f)) w.broken("the VM runs with half its memory");
  if (runsAtSource && !w.rules.holds(at(f, LEASE), 0)) w.broken("the VM runs at the source without a lease");
  if (runsAtDestination && !w.rules.holds(at(f, LEASE), 1))
    w.broken("the VM runs at the destination without a lease");
  if ((runsAtSource || runsAtDestination) && (truth & TOLD_LOST) !== 0) w.broken("told as lost, but it runs");
  lookAtDisks(w);
  if (runsAtSource) mayRun(w, 0);
  if (runsAtDestination) mayRun(w, 1);
}

/**
 * The table of phases says who may run the VM, but where it is about to be ended. An agent that is down says nothing; neither does one that cannot know
 * whether it had committed: it commits no more, and QEMU may let its guest run when a copy that was cancelled ends.
 */
function mayRun(w: World, h: number): void {
  const agent = at(w.now, AGENT + h);
  if (agent <= IDLE || w.side(h).mayRun(agent) || isToGo(w, h)) return;
  w.broken(`the VM runs at ${hosts[h] ?? ""} in the phase ${w.side(h).phase(agent)}`);
}

/** Whether the agent has told host `h`'s QEMU to end. */
export const isToGo = (w: World, h: number): boolean =>
  w.rules.commands.items(at(w.now, COMMANDS + h)).includes(commandNames.indexOf("remove"));

/** The same where nothing has failed on the way: the VM has moved. */
export function endWithoutFaults(state: State): string | null {
  const hasMoved = (at(state, TRUTH) & RAN_AT_DESTINATION) !== 0 && at(state, QEMU) === 0;
  return hasMoved ? null : "nothing failed, but the VM was not moved";
}

/** What is wrong with a state in which nothing goes on any more; null when it is a good end. */
export function end(w: World, state: State): string | null {
  const ofDisks = endOfDisks(w, state);
  if (ofDisks !== null) return ofDisks;
  const truth = at(state, TRUTH);
  const [source, destination] = [at(state, QEMU), at(state, QEMU + 1)];
  const lease = at(state, LEASE);
  for (let h = 0; h < 2; h++) {
    const agent = at(state, AGENT + h);
    const isFenced = (truth & (FENCED << h)) !== 0;
    if (isFenced) continue;
    if (agent > IDLE && w.side(h).phase(agent) !== "ended")
      return `the move never ends at ${hosts[h] ?? ""}: ${w.side(h).phase(agent)}`;
  }
  const runners = [source, destination, (truth & THIRD_RUNS) === 0 ? 0 : RUNS].filter(
    (one) => (one & RUNS) !== 0,
  );
  const processes = [source, destination].filter((one) => (one & ALIVE) !== 0);
  const standing = [source, destination].findIndex((one) => (one & ALIVE) !== 0);
  // A guest that stands still on its own account is just as much one host's as one that runs.
  if (runners.length === 0 && processes.length === 1 && (truth & STANDS) !== 0) {
    if (standing === 1 && isPartly(state)) return "the VM never gets all its memory";
    return w.rules.holdsAlone(lease, standing) ? null : "the VM's lease is not its host's alone";
  }
  if (runners.length === 0) {
    if (processes.length > 0) return "a QEMU is left that does not run";
    if ((truth & LOST) === 0) return "the VM runs nowhere, though its memory was not lost";
    if (!w.rules.isFree(lease)) return "the VM runs nowhere, and its lease cannot be taken";
    return null;
  }
  if (processes.length > 1 || ((truth & THIRD_RUNS) !== 0 && processes.length > 0))
    return "a second QEMU is left";
  const runner = [source, destination].findIndex((one) => (one & RUNS) !== 0);
  const host = runner === -1 ? 2 : runner;
  if (host === 1 && isPartly(state)) return "the VM runs, but never gets all its memory";
  return w.rules.holdsAlone(lease, host) ? null : "the VM runs, but its lease is not its host's alone";
}
