/** The two QEMUs and the copy between them: what each command does, and what becomes of it when an end fails. */
import { isCurrent, isPartly, isServing, isShared } from "./judge.ts";
import {
  ACTIVE,
  ALIVE,
  at,
  AUTO,
  BROKEN,
  CANCELLING,
  clear,
  COMPLETED,
  CONT,
  CONT_ANSWER,
  COPY,
  COPY_IS_OLD,
  COPY_SHIFT,
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
import type { World } from "./world.ts";

/** States of the source's copy in which QEMU lets no guest run that stands still. */
const notFinal: readonly number[] = [PRE, DEVICE, CANCELLING, SERVING, BROKEN];

export function cont(w: World, h: number): void {
  const f = w.now;
  const copy = (at(f, QEMU + h) & COPY) >> COPY_SHIFT;
  clear(f, QEMU + h, CONT);
  const isAtLastStep = h === 0 && notFinal.includes(copy);
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

/** `cont` is sent. */
export function resumeVcpus(w: World, h: number): void {
  const f = w.now;
  if ((at(f, QEMU + h) & ALIVE) === 0) return;
  // An agent that has not heard yet that its guest stopped cannot know better.
  if ((at(f, TRUTH) & STANDS) !== 0 && !waitsToHear(w, h)) w.broken("a guest that was paused is let run");
  set(f, QEMU + h, CONT);
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

export function startCopy(w: World): void {
  const f = w.now;
  if ((at(f, QEMU) & ALIVE) === 0) return;
  if ((at(f, QEMU + 1) & COPY) >> COPY_SHIFT !== LISTENING) {
    w.give(0, "copyEnded");
    return;
  }
  copyState(f, 0, ACTIVE);
  copyState(f, 1, STREAMING);
  set(f, QEMU + 1, STREAM);
}

export function lastStep(w: World): void {
  const f = w.now;
  copyState(f, 0, PRE);
  if ((at(f, QEMU) & RUNS) !== 0) {
    clear(f, QEMU, RUNS);
    set(f, QEMU, AUTO);
    w.give(0, "paused");
  }
  w.give(0, "preSwitchover");
}

export function cancelCopy(w: World): void {
  const f = w.now;
  if ((at(f, QEMU) & ALIVE) === 0) return;
  const copy = (at(f, QEMU) & COPY) >> COPY_SHIFT;
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

export function continueSwitchover(w: World): void {
  const f = w.now;
  if ((at(f, QEMU) & ALIVE) === 0) return;
  if ((at(f, QEMU) & COPY) >> COPY_SHIFT !== PRE) {
    w.give(0, "copyEnded");
    return;
  }
  const isPostcopy = (at(f, QEMU) & POSTCOPY) !== 0;
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
export function recoverStream(w: World): void {
  const f = w.now;
  const incoming = (at(f, QEMU + 1) & COPY) >> COPY_SHIFT;
  clear(f, QEMU + 1, STREAM);
  if (isPartly(f)) {
    copyState(f, 1, RECOVERS);
    w.give(1, "recovering");
  } else if (incoming === STREAMING || incoming === LISTENING) {
    copyState(f, 1, FAILED);
    w.give(1, "loadFailed");
  }
}

export function resumeStream(w: World): void {
  const f = w.now;
  if ((at(f, QEMU) & COPY) >> COPY_SHIFT !== BROKEN) return;
  if ((at(f, QEMU + 1) & COPY) >> COPY_SHIFT !== RECOVERS) {
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
  f[QEMU + h] = 0;
  clear(f, QEMU + 1, STREAM);
  if (h === 1) clear(f, TRUTH, COPY_IS_OLD);
  w.give(h, heardAll || h === 1 ? "qemuGone" : "qemuGoneUnheard");
}

export function remove(w: World, h: number): void {
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
  const hasFailed = (at(w.now, QEMU) & COPY) >> COPY_SHIFT === ENDED;
  return isWritten && hasFailed && (at(w.now, QEMU + 1) & ALIVE) === 0;
}

/** A user stops the VM at the destination, where it runs: the move there, if it goes on, is superseded. */
export function userStops(w: World): void {
  const f = w.now;
  w.give(1, "superseded");
  set(f, TRUTH, STOPPED_BY_USER | LOST);
  qemuEnds(w, 1);
}
