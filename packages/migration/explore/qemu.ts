/** The two QEMUs and the copy between them: what each command does, and what becomes of it when an end fails. */
import { endMirrors } from "./disks.ts";
import { isCurrent, isPartly, isServing, isShared, isToGo } from "./judge.ts";
import {
  ACTIVE,
  ALIVE,
  at,
  AUTO,
  BROKEN,
  CANCELLING,
  clear,
  COMMANDS,
  COMPLETED,
  CONT_ANSWER,
  COPY_IS_OLD,
  copyOf,
  copyState,
  DEVICE,
  DIED,
  ENDED,
  FAILED,
  FENCED,
  JOURNAL,
  inbox,
  LISTENING,
  LOST,
  NONE,
  OFF,
  PARTLY,
  POSTCOPY,
  PRE,
  PRE_SPLIT,
  QEMU,
  RECOVERS,
  RUNS,
  SERVING,
  set,
  STANDS,
  STOPPED_BY_USER,
  STREAM,
  STREAMING,
  TRUTH,
  WAITS,
} from "./layout.ts";
import { commandNames, type CommandName } from "./names.ts";
import type { World } from "./world.ts";

/** States of the source's copy in which QEMU lets no guest run that stands still. */
const notFinal: readonly number[] = [PRE, PRE_SPLIT, DEVICE, CANCELLING, SERVING, BROKEN];

/** What each command does when it is read. */
const obeyed: Record<CommandName, (w: World, h: number) => void> = {
  startCopy,
  pauseVcpus,
  startPostcopy: (w) => {
    set(w.now, QEMU, POSTCOPY);
  },
  continueSwitchover,
  breakStream: (w) => {
    if (copyOf(w.now, 0) === SERVING) clear(w.now, QEMU + 1, STREAM);
  },
  resumeStream,
  recoverStream,
  cancelCopy,
  resumeVcpus: cont,
  activateDisks: (w, h) => {
    w.give(h, "disksActive");
  },
  remove,
};

/** The agent sends a command. What a process that is gone was to do needs nobody. */
export function tellQemu(w: World, h: number, command: CommandName): void {
  const f = w.now;
  if ((at(f, QEMU + h) & ALIVE) === 0) {
    if (command === "remove") w.give(h, "removed");
    return;
  }
  // An agent that has not heard yet that its guest stopped cannot know better.
  if (command === "resumeVcpus" && (at(f, TRUTH) & STANDS) !== 0 && !waitsToHear(w, h))
    w.broken("a guest that was paused is let run");
  const { commands } = w.rules;
  const number = commandNames.indexOf(command);
  const waiting = at(f, COMMANDS + h);
  if (commands.items(waiting).at(-1) !== number) f[COMMANDS + h] = commands.append(waiting, number);
}

/** What QEMU reads next; null: it was told nothing more. */
export function nextCommand(w: World, h: number): CommandName | null {
  return commandNames[w.rules.commands.first(at(w.now, COMMANDS + h))] ?? null;
}

/** QEMU reads a command and does it. @param refuses to let the guest run, or to take its disks */
export function obey(w: World, h: number, refuses = false): void {
  const f = w.now;
  const command = nextCommand(w, h);
  f[COMMANDS + h] = w.rules.commands.rest(at(f, COMMANDS + h));
  if (refuses) w.give(h, "resumeFailed");
  else if (command !== null) obeyed[command](w, h);
}

function cont(w: World, h: number): void {
  const f = w.now;
  const isAtLastStep = h === 0 && notFinal.includes(copyOf(f, 0));
  if (isAtLastStep && (at(f, QEMU) & RUNS) === 0) {
    w.give(h, "resumeFailed"); // QEMU refuses: the migration is not finalized yet
    return;
  }
  if ((at(f, TRUTH) & OFF) !== 0) {
    w.give(h, "resumeFailed"); // QEMU refuses: the guest is switched off
    return;
  }
  // On its way when the guest stopped: it runs again, and what had failed is tried again.
  clear(f, TRUTH, STANDS);
  set(f, QEMU + h, RUNS | CONT_ANSWER);
}

function pauseVcpus(w: World): void {
  if ((at(w.now, QEMU) & RUNS) === 0) return;
  clear(w.now, QEMU, RUNS);
  w.give(0, "paused");
}

function waitsToHear(w: World, h: number): boolean {
  if (h === 1) return false;
  const waiting = w.rules.inboxes.items(inbox(w.now, 0));
  return waiting.includes(w.number(0, "guestPaused")) || waiting.includes(w.number(0, "guestShutDown"));
}

/** The guest at the source stops by itself: an I/O error, or its own shutdown. */
export function guestStops(w: World, input: "guestPaused" | "guestShutDown"): void {
  clear(w.now, QEMU, RUNS);
  set(w.now, TRUTH, input === "guestPaused" ? STANDS : STANDS | OFF);
  w.give(0, input);
}

function startCopy(w: World): void {
  const f = w.now;
  if (copyOf(f, 1) !== LISTENING) {
    w.give(0, "copyEnded");
    return;
  }
  copyState(f, 0, ACTIVE);
  copyState(f, 1, STREAMING);
  set(f, QEMU + 1, STREAM);
}

export function lastStep(w: World): void {
  const f = w.now;
  // Whether it will be a post-copy is decided here: to be told so later changes nothing any more.
  copyState(f, 0, (at(f, QEMU) & POSTCOPY) === 0 ? PRE : PRE_SPLIT);
  if ((at(f, QEMU) & RUNS) !== 0) {
    clear(f, QEMU, RUNS);
    set(f, QEMU, AUTO);
    w.give(0, "paused");
  }
  w.give(0, "preSwitchover");
}

function cancelCopy(w: World): void {
  const f = w.now;
  endMirrors(w);
  const copy = copyOf(f, 0);
  if (copy === COMPLETED) w.give(0, "completed");
  else if (copy === NONE || copy === ENDED) w.give(0, "copyEnded");
  else if (copy === BROKEN) w.give(0, "copyStuck");
  else copyState(f, 0, CANCELLING);
}

/** The copy failed or was cancelled. What the destination has received whole it may still load. */
export function copyEnds(w: World): void {
  const f = w.now;
  copyState(f, 0, ENDED);
  if ((at(f, QEMU) & AUTO) !== 0) {
    clear(f, QEMU, AUTO);
    set(f, QEMU, RUNS);
  }
  clear(f, QEMU + 1, STREAM);
  w.give(0, "copyEnded");
}

function continueSwitchover(w: World): void {
  const f = w.now;
  const copy = copyOf(f, 0);
  if (copy !== PRE && copy !== PRE_SPLIT) {
    w.give(0, "copyEnded");
    return;
  }
  const isPostcopy = copy === PRE_SPLIT;
  copyState(f, 0, isPostcopy ? SERVING : DEVICE);
  if (!isPostcopy) return;
  clear(f, QEMU, AUTO);
  w.give(0, "postcopyActive");
}

/** Post-copy: this end notices that its stream is broken. */
export function sourceStreamBreaks(w: World): void {
  copyState(w.now, 0, BROKEN);
  w.give(0, "streamBroken");
}

export function destinationStreamBreaks(w: World): void {
  copyState(w.now, 1, WAITS);
  w.give(1, "streamBroken");
}

/** Post-copy: the destination listens again; a stream that it still has is ended. */
function recoverStream(w: World): void {
  const f = w.now;
  const incoming = copyOf(f, 1);
  clear(f, QEMU + 1, STREAM);
  if (isPartly(f)) {
    copyState(f, 1, RECOVERS);
    w.give(1, "recovering");
  } else if (incoming === STREAMING || incoming === LISTENING) {
    copyState(f, 1, FAILED);
    w.give(1, "loadFailed");
  }
}

function resumeStream(w: World): void {
  const f = w.now;
  if (copyOf(f, 0) !== BROKEN) return;
  if (copyOf(f, 1) !== RECOVERS) {
    w.give(0, "streamBroken");
    return;
  }
  copyState(f, 0, SERVING);
  copyState(f, 1, PARTLY);
  set(f, QEMU + 1, STREAM);
  w.give(0, "postcopyActive");
  w.give(1, "streamResumed");
}

/** @param heardAll what it said last is read before its end is noticed */
export function qemuEnds(w: World, h: number, heardAll = true): void {
  const f = w.now;
  if ((at(f, QEMU + h) & ALIVE) === 0) return;
  const wasToGo = isToGo(w, h);
  f[QEMU + h] = 0;
  f[COMMANDS + h] = 0;
  clear(f, QEMU + 1, STREAM);
  if (h === 0) endMirrors(w);
  if (h === 1) clear(f, TRUTH, COPY_IS_OLD);
  w.give(h, heardAll || h === 1 ? "qemuGone" : "qemuGoneUnheard");
  if (wasToGo) w.give(h, "removed");
}

function remove(w: World, h: number): void {
  const f = w.now;
  const held = isCurrent(w, h);
  const wasShared = isShared(w);
  const wasServing = isServing(f);
  // A source whose stream has nobody at its other end any more can only fail.
  const isHopeless = h === 0 && isServing(f) && (at(f, QEMU + 1) & STREAM) === 0;
  const isAmbiguous = h === 0 && mayHaveServed(w);
  const wasRunning = (at(f, QEMU + h) & RUNS) !== 0;
  qemuEnds(w, h);
  if (wasShared) w.broken("half of a running guest's memory is thrown away");
  if (wasServing && !isCurrent(w, 0) && !isCurrent(w, 1)) set(f, TRUTH, LOST);
  if (held && wasRunning) w.broken("a running guest is thrown away");
  if (held && !isCurrent(w, 1 - h)) {
    const truth = at(f, TRUTH);
    const otherIsFenced = (truth & (FENCED << (1 - h))) !== 0;
    const otherDied = (truth & (DIED << (1 - h))) !== 0;
    if (!otherIsFenced && !otherDied && !isHopeless && !isAmbiguous)
      w.broken("the only complete memory is thrown away");
    set(f, TRUTH, LOST);
  }
  w.give(h, "removed");
}

/** Whether a post-copy was begun whose copy has failed, with nobody left who knows how far it had come. */
function mayHaveServed(w: World): boolean {
  const { journals, source } = w.rules;
  const isWritten = journals.items(at(w.now, JOURNAL)).some((entry) => source.entry(entry).at === "postcopy");
  const hasFailed = copyOf(w.now, 0) === ENDED;
  return isWritten && hasFailed && (at(w.now, QEMU + 1) & ALIVE) === 0;
}

/** A user stops the VM at the destination, where it runs: the move there, if it goes on, is superseded. */
export function userStops(w: World): void {
  const f = w.now;
  w.give(1, "superseded");
  set(f, TRUTH, STOPPED_BY_USER | LOST);
  qemuEnds(w, 1);
}
