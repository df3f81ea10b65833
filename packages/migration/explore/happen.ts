/** One thing happens: the state after an event, and what it broke. */
import { agentDies, agentReturns, hear, lineDown, take } from "./agents.ts";
import { look, memoryGoes, memoryGone } from "./judge.ts";
import {
  ACTIVATE,
  AGENT,
  at,
  AUTO,
  clear,
  CLOSED,
  COMPLETED,
  CONT,
  COPY,
  COPY_SHIFT,
  copyState,
  CUTS,
  DEAD,
  EXPIRING,
  FAILED,
  FULL,
  HALF,
  kindBits,
  kindOf,
  LINE,
  LOADED,
  MESSAGES,
  OUTAGE,
  OUTAGES,
  PARTLY,
  QEMU,
  SERVING,
  set,
  STALE,
  type State,
  STREAM,
  timerInput,
  TIMERS,
  TRUTH,
} from "./layout.ts";
import {
  answerLease,
  askLatest,
  askLease,
  decideLease,
  expire,
  fence,
  leaseUnavailable,
  thirdAsks,
  reconciliation,
} from "./lease-service.ts";
import { IDLE, OVERTAKEN } from "./names.ts";
import {
  cont,
  copyEnds,
  destinationStreamBreaks,
  guestStops,
  lastStep,
  qemuEnds,
  sourceStreamBreaks,
  userStops,
} from "./qemu.ts";
import { sentence } from "./story.ts";
import { answerCont, loseWordsOfQemu, type World } from "./world.ts";

/** Lets `event` happen in `state`; the outcome is in `now`, and `violation` says what it broke. */
export function apply(w: World, state: State, event: number): void {
  const f = w.now;
  f.set(state);
  w.violation = null;
  const argument = event >> kindBits;
  const h = argument & 1;
  switch (kindOf(event)) {
    case "take":
      take(w, h);
      break;
    case "takeThenDie":
      w.stopAfter.effects = argument >> 1;
      take(w, h);
      w.stopAfter.effects = -1;
      agentDies(w, h);
      break;
    case "takeWithFullDisk":
      w.stopAfter.fullDisk = true;
      take(w, h);
      w.stopAfter.fullDisk = false;
      break;
    case "deliver":
      clear(f, MESSAGES, 1 << argument);
      hear(w, argument);
      break;
    case "deliverTwice":
      hear(w, argument);
      break;
    case "loseMessage":
      clear(f, MESSAGES, 1 << argument);
      break;
    case "lineUp":
      set(f, LINE, 3);
      w.give(0, "peerUp");
      if (at(f, AGENT + 1) > IDLE) w.give(1, "peerUp");
      break;
    case "notice":
      lineDown(w, h);
      if (at(f, AGENT + h) > IDLE && !(h === 0 && (at(f, LINE) & CLOSED) !== 0)) w.give(h, "peerDown");
      break;
    case "cut":
      set(f, LINE, argument << 2);
      break;
    case "heal":
      clear(f, LINE, CUTS);
      break;
    case "agentDies":
      agentDies(w, h);
      break;
    case "agentReturns":
      agentReturns(w, h);
      break;
    case "qemuDies":
      memoryGoes(w, h);
      qemuEnds(w, h);
      break;
    case "qemuDiesUnheard":
      memoryGoes(w, h);
      loseWordsOfQemu(w, h, argument >> 1);
      qemuEnds(w, h, false);
      break;
    case "hostDies":
      memoryGoes(w, h);
      qemuEnds(w, h);
      agentDies(w, h);
      set(f, TRUTH, DEAD << h);
      break;
    case "hostReturns":
      clear(f, TRUTH, DEAD << h);
      break;
    case "fence":
      fence(w, h);
      break;
    case "storageLost":
      memoryGoes(w, h);
      qemuEnds(w, h);
      set(f, TRUTH, EXPIRING << h);
      break;
    case "leaseExpires":
      expire(w, h);
      break;
    case "cont":
      cont(w, h);
      break;
    case "activate":
      clear(f, QEMU + h, ACTIVATE);
      w.give(h, "disksActive");
      break;
    case "guestStops":
      guestStops(w, "guestPaused");
      break;
    case "guestShutsDown":
      guestStops(w, "guestShutDown");
      break;
    case "contRefused":
      clear(f, QEMU + h, CONT | ACTIVATE);
      w.give(h, "resumeFailed");
      break;
    case "contAnswered":
      answerCont(w, h);
      break;
    case "decideLease":
      decideLease(w, h);
      break;
    case "answerLease":
      answerLease(w, h, (argument & 2) !== 0);
      break;
    case "leaseUnavailable":
      leaseUnavailable(w, h, (argument & 2) !== 0);
      break;
    case "decideStale":
      clear(f, STALE + h, 1 << (argument >> 1));
      if (argument >> 1 < 6) askLease(w, h, argument >> 1);
      else askLease(w, h, (argument >> 1) - 6, OVERTAKEN);
      break;
    case "outage":
      set(f, LINE, argument * OUTAGE);
      break;
    case "outageEnds":
      clear(f, LINE, OUTAGES);
      break;
    case "timer":
      clear(f, TIMERS + h, 1 << (argument >> 1));
      w.push(h, (timerInput[h] ?? 0) + (argument >> 1));
      break;
    case "reconcile":
      askLatest(w, h, reconciliation(w, h));
      break;
    case "cancel":
      w.give(0, "cancel");
      break;
    case "sample":
      w.give(0, "sample");
      break;
    case "lastStep":
      lastStep(w);
      break;
    case "finalSent":
      copyState(f, 1, (at(f, QEMU) & COPY) >> COPY_SHIFT === SERVING ? HALF : FULL);
      break;
    case "load": {
      const isHalf = (at(f, QEMU + 1) & COPY) >> COPY_SHIFT === HALF;
      copyState(f, 1, isHalf ? PARTLY : LOADED);
      w.give(1, isHalf ? "loadedPartly" : "loaded");
      break;
    }
    case "pulled":
      copyState(f, 1, LOADED);
      w.give(1, "memoryComplete");
      break;
    case "loadFails":
      copyState(f, 1, FAILED);
      clear(f, QEMU + 1, STREAM);
      memoryGone(w);
      w.give(1, "loadFailed");
      break;
    case "acknowledge":
      copyState(f, 0, COMPLETED);
      clear(f, QEMU, AUTO);
      w.give(0, "completed");
      break;
    case "sourceStreamEnds":
      if ((at(f, QEMU) & COPY) >> COPY_SHIFT === SERVING) sourceStreamBreaks(w);
      else copyEnds(w);
      break;
    case "cancelled":
    case "postcopyFails":
      copyEnds(w);
      break;
    case "destinationStreamEnds":
      if ((at(f, QEMU + 1) & COPY) >> COPY_SHIFT === PARTLY) {
        destinationStreamBreaks(w);
        break;
      }
      copyState(f, 1, FAILED);
      w.give(1, "loadFailed");
      break;
    case "streamBreaks":
      clear(f, QEMU + 1, STREAM);
      break;
    case "thirdAsks":
      thirdAsks(w);
      break;
    case "userStops":
      userStops(w);
      break;
  }
  if (w.tell !== null) w.tell(sentence(w, state, event));
  look(w);
}
