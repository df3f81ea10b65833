/** One thing happens: the state after an event, and what it broke. */
import { agentDies, agentReturns, hear, lineDown, take } from "./agents.ts";
import { disksEnded, disksFail, disksReady } from "./disks.ts";
import { look, memoryGoes, memoryGone } from "./judge.ts";
import {
  AGENT,
  at,
  AUTO,
  clear,
  CLOSED,
  COMPLETED,
  copyOf,
  copyState,
  CUTS,
  DEAD,
  EXPIRING,
  FAILED,
  FULL,
  HALF,
  type EventKind,
  kindBits,
  kindMask,
  kinds,
  LINE,
  LOADED,
  MESSAGES,
  OUTAGE,
  OUTAGES,
  PARTLY,
  PREPARE,
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
import { IDLE, limitChanges, OVERTAKEN } from "./names.ts";
import {
  copyEnds,
  destinationStreamBreaks,
  guestStops,
  lastStep,
  obey,
  qemuEnds,
  sourceStreamBreaks,
  userStops,
} from "./qemu.ts";
import { sentence } from "./story.ts";
import { answerCont, loseWordsOfQemu, type World } from "./world.ts";

/** What each event does. @param h the host that its argument names in its last bit */
const happenings: Record<EventKind, (w: World, h: number, argument: number) => void> = {
  take,
  takeThenDie: (w, h, argument) => {
    w.stopAfter.effects = argument >> 1;
    take(w, h);
    w.stopAfter.effects = -1;
    agentDies(w, h);
  },
  takeWithFullDisk: (w, h) => {
    w.disk = "full";
    take(w, h);
    w.disk = "sound";
  },
  takeWithLateError: (w, h) => {
    w.disk = "failsLate";
    take(w, h);
    w.disk = "sound";
  },
  deliver: (w, _h, message) => {
    clear(w.now, MESSAGES, 1 << message);
    hear(w, message);
  },
  beginWithFullDisk: (w) => {
    begin(w, "full");
  },
  beginWithLateError: (w) => {
    begin(w, "failsLate");
  },
  deliverTwice: (w, _h, message) => {
    hear(w, message);
  },
  loseMessage: (w, _h, message) => {
    clear(w.now, MESSAGES, 1 << message);
  },
  lineUp: (w) => {
    set(w.now, LINE, 3);
    w.give(0, "peerUp");
    if (at(w.now, AGENT + 1) > IDLE) w.give(1, "peerUp");
  },
  notice: (w, h) => {
    lineDown(w, h);
    if (at(w.now, AGENT + h) > IDLE && !(h === 0 && (at(w.now, LINE) & CLOSED) !== 0)) w.give(h, "peerDown");
  },
  cut: (w, _h, ways) => {
    set(w.now, LINE, ways << 2);
  },
  heal: (w) => {
    clear(w.now, LINE, CUTS);
  },
  agentDies,
  agentReturns,
  qemuDies: (w, h) => {
    memoryGoes(w, h);
    qemuEnds(w, h);
  },
  qemuDiesUnheard: (w, h, argument) => {
    memoryGoes(w, h);
    loseWordsOfQemu(w, h, argument >> 1);
    qemuEnds(w, h, false);
  },
  hostDies: (w, h) => {
    memoryGoes(w, h);
    qemuEnds(w, h);
    agentDies(w, h);
    set(w.now, TRUTH, DEAD << h);
  },
  hostReturns: (w, h) => {
    clear(w.now, TRUTH, DEAD << h);
  },
  fence,
  storageLost: (w, h) => {
    memoryGoes(w, h);
    qemuEnds(w, h);
    set(w.now, TRUTH, EXPIRING << h);
  },
  leaseExpires: expire,
  obey: (w, h) => {
    obey(w, h);
  },
  guestStops: (w) => {
    guestStops(w, "guestPaused");
  },
  guestShutsDown: (w) => {
    guestStops(w, "guestShutDown");
  },
  contRefused: (w, h) => {
    obey(w, h, true);
  },
  contAnswered: answerCont,
  decideLease,
  answerLease: (w, h, argument) => {
    answerLease(w, h, (argument & 2) !== 0);
  },
  leaseUnavailable: (w, h, argument) => {
    leaseUnavailable(w, h, (argument & 2) !== 0);
  },
  decideStale: (w, h, argument) => {
    const question = argument >> 1;
    clear(w.now, STALE + h, 1 << question);
    if (question < 6) askLease(w, h, question);
    else askLease(w, h, question - 6, OVERTAKEN);
  },
  outage: (w, _h, hosts) => {
    set(w.now, LINE, hosts * OUTAGE);
  },
  outageEnds: (w) => {
    clear(w.now, LINE, OUTAGES);
  },
  timer: (w, h, argument) => {
    clear(w.now, TIMERS + h, 1 << (argument >> 1));
    w.push(h, (timerInput[h] ?? 0) + (argument >> 1));
  },
  reconcile: (w, h) => {
    askLatest(w, h, reconciliation(w, h));
  },
  cancel: (w) => {
    w.give(0, "cancel");
  },
  limits: (w, _h, change) => {
    w.give(0, limitChanges[change] ?? "limitsRate");
  },
  sample: (w) => {
    w.give(0, "sample");
  },
  lastStep,
  finalSent: (w) => {
    copyState(w.now, 1, copyOf(w.now, 0) === SERVING ? HALF : FULL);
  },
  load: (w) => {
    const isHalf = copyOf(w.now, 1) === HALF;
    copyState(w.now, 1, isHalf ? PARTLY : LOADED);
    w.give(1, isHalf ? "loadedPartly" : "loaded");
  },
  pulled: (w) => {
    copyState(w.now, 1, LOADED);
    w.give(1, "memoryComplete");
  },
  loadFails: (w) => {
    copyState(w.now, 1, FAILED);
    clear(w.now, QEMU + 1, STREAM);
    memoryGone(w);
    w.give(1, "loadFailed");
  },
  acknowledge: (w) => {
    copyState(w.now, 0, COMPLETED);
    clear(w.now, QEMU, AUTO);
    w.give(0, "completed");
  },
  disksReady,
  disksEnded,
  disksFail,
  sourceStreamEnds: (w) => {
    if (copyOf(w.now, 0) === SERVING) sourceStreamBreaks(w);
    else copyEnds(w);
  },
  destinationStreamEnds: (w) => {
    if (copyOf(w.now, 1) === PARTLY) {
      destinationStreamBreaks(w);
      return;
    }
    copyState(w.now, 1, FAILED);
    w.give(1, "loadFailed");
  },
  postcopyFails: copyEnds,
  cancelled: copyEnds,
  streamBreaks: (w) => {
    clear(w.now, QEMU + 1, STREAM);
  },
  thirdAsks,
  userStops,
};
/** The destination is told of the move, of which it cannot write that it begins. */
function begin(w: World, disk: World["disk"]): void {
  w.disk = disk;
  clear(w.now, MESSAGES, 1 << PREPARE);
  hear(w, PREPARE);
  w.disk = "sound";
}

const byNumber = kinds.map((kind) => happenings[kind]);

/** Lets `event` happen in `state`; the outcome is in `now`, and `violation` says what it broke. */
export function apply(w: World, state: State, event: number): void {
  w.now.set(state);
  w.violation = null;
  const argument = event >> kindBits;
  byNumber[event & kindMask]?.(w, argument & 1, argument);
  if (w.tell !== null) w.tell(sentence(w, state, event));
  look(w);
}
