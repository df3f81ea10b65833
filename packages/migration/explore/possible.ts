/**
 * What may happen next in a state of the world, faults included, and when: soon, when nothing else goes on,
 * or only as a fault.
 */
import {
  ACTIVE,
  AGENT,
  ALIVE,
  ANSWER,
  ASKS,
  at,
  CANCELLING,
  CAUGHT_UP,
  CLOSED,
  code,
  COMMANDS,
  CONT_ANSWER,
  COPY,
  COPY_SHIFT,
  CUT_TO_DESTINATION,
  CUT_TO_SOURCE,
  CUTS,
  DEAD,
  DEVICE,
  DISKS,
  ENDING,
  EXPIRING,
  type EventClass,
  type EventKind,
  FAULT,
  FENCED,
  FULL,
  HALF,
  inbox,
  inputOf,
  LASTING,
  LEASE,
  LINE,
  LOADED,
  messageCount,
  MIRROR,
  MESSAGES,
  OUTAGES,
  PARTLY,
  POSTCOPY,
  PRE,
  PRE_SPLIT,
  PREPARE,
  PROMPT,
  QEMU,
  receiverOf,
  RUNS,
  SERVING,
  STALE,
  STANDS,
  type State,
  STORMY,
  STREAM,
  STREAMING,
  THIRD_RUNS,
  TIMERS,
  TRUTH,
  UP,
  WAITING,
} from "./layout.ts";
import { cannotAsk, reconciliation } from "./lease-service.ts";
import { DOWN, HELD_BY_PEER, HELD_BY_THIRD, IDLE, limitChanges, UNASKED } from "./names.ts";
import { nextCommand } from "./qemu.ts";
import { wordsOfQemu, type World } from "./world.ts";

/**
 * Fills `events` and `classes`; in a calm, only the first prompt event, or all that waits when there is none.
 * @param withFaults false where no more can happen: then not all of them are looked for
 */
export function enumerate(w: World, state: State, calm = false, withFaults = !calm): void {
  w.now.set(state);
  w.events.length = 0;
  w.classes.length = 0;
  const f = w.now;
  const line = at(f, LINE);
  const truth = at(f, TRUTH);

  // What no one can tell from outside, and no fault can change, is not worth a crossroads.
  for (let h = 0; h < 2; h++) {
    if (!isQuietTake(w, h)) continue;
    may(w, PROMPT, "take", h);
    return;
  }
  if ((line & CUTS) !== 0) may(w, LASTING, "heal");
  if ((line & OUTAGES) !== 0) may(w, LASTING, "outageEnds");
  if (calm && w.events.length > 0) return;
  for (let h = 0; h < 2; h++) agentEvents(w, h, calm);
  if (calm && w.events.length > 0) return;
  messageEvents(w);
  lineEvents(w);
  if (calm && w.events.length > 0) return;
  copyEvents(w, calm);
  if (calm && w.events.length > 0) return;

  // Slow by nature. Should one of these come before something that is quick, then that is slow: a fault.
  const slow = w.classes.includes(PROMPT) ? FAULT : WAITING;
  if (slow === FAULT && !withFaults) return;
  for (let h = 0; h < 2; h++) {
    const timers = calm && tellsNobody(w, h) ? 0 : at(f, TIMERS + h);
    for (let timer = 0; timers >> timer !== 0; timer++) {
      if (((timers >> timer) & 1) !== 0) may(w, slow, "timer", h | (timer << 1));
    }
    if (reconciliation(w, h) >= 0) may(w, slow, "reconcile", h);
    if ((truth & (DEAD << h)) !== 0 && (truth & (FENCED << h)) === 0) {
      may(w, slow, "hostReturns", h);
      may(w, slow, "fence", h);
    }
    if ((truth & (EXPIRING << h)) !== 0) may(w, slow, "leaseExpires", h);
  }
  if (withFaults) faultEvents(w);
}

function may(w: World, when: EventClass, kind: EventKind, argument = 0): void {
  w.events.push(code(kind, argument));
  w.classes.push(when);
}

/** Whether this end of the move is over, and only repeats itself to a host that was fenced. */
function tellsNobody(w: World, h: number): boolean {
  const agent = at(w.now, AGENT + h);
  const isOver = agent > IDLE && w.side(h).phase(agent) === "ended";
  return isOver && (at(w.now, TRUTH) & (FENCED << (1 - h))) !== 0;
}

/** Whether the next input changes only what its agent knows: no effect, no other phase. */
function isQuietTake(w: World, h: number): boolean {
  const agent = at(w.now, AGENT + h);
  const input = w.rules.inboxes.first(inbox(w.now, h));
  if (agent <= IDLE || input < 0) return false;
  const side = w.side(h);
  const step = side.step(agent, input);
  return step.effects.length === 0 && side.phase(step.state) === side.phase(agent);
}

function agentEvents(w: World, h: number, calm: boolean): void {
  const f = w.now;
  const agent = at(f, AGENT + h);
  const truth = at(f, TRUTH);
  if (at(f, COMMANDS + h) !== 0) may(w, PROMPT, "obey", h);
  if ((at(f, QEMU + h) & CONT_ANSWER) !== 0) may(w, PROMPT, "contAnswered", h);
  if (at(f, STALE + h) !== 0 && !cannotAsk(w, h)) {
    for (let question = 0; question < 12; question++) {
      if ((at(f, STALE + h) >> question) & 1) may(w, PROMPT, "decideStale", h | (question << 1));
    }
  }
  if (agent === DOWN) {
    if ((truth & (DEAD << h)) === 0) may(w, PROMPT, "agentReturns", h);
    return;
  }
  if (inbox(f, h) !== 0) may(w, PROMPT, "take", h);
  if (at(f, ASKS + h) === 0) return;
  if (at(f, ANSWER + h) !== UNASKED) {
    const sourceAgentUp = at(f, AGENT) !== DOWN;
    // The destination also hears whether the source's host was heard of lately: a hint that may be old.
    const isHeld = at(f, ANSWER + 1) === HELD_BY_PEER || at(f, ANSWER + 1) === HELD_BY_THIRD;
    const isHint = h === 1 && isHeld;
    if (!isHint || sourceAgentUp) may(w, PROMPT, "answerLease", h | 2);
    else {
      may(w, PROMPT, "answerLease", h);
      if (!calm) may(w, STORMY, "answerLease", h | 2);
    }
    if (isHint && sourceAgentUp && cannotAsk(w, 0) && !calm) may(w, STORMY, "answerLease", h);
    return;
  }
  if (cannotAsk(w, h)) {
    may(w, STORMY, "leaseUnavailable", h);
    may(w, STORMY, "leaseUnavailable", h | 2);
  } else may(w, PROMPT, "decideLease", h);
}

function messageEvents(w: World): void {
  const f = w.now;
  const line = at(f, LINE);
  const messages = at(f, MESSAGES);
  for (let message = 0; message < messageCount; message++) {
    if (((messages >> message) & 1) === 0) continue;
    const h = receiverOf(message);
    if ((line & (h === 1 ? CUT_TO_DESTINATION : CUT_TO_SOURCE)) !== 0 || at(f, AGENT + h) === DOWN) continue;
    if (waits(w, h, inputOf(message))) continue;
    may(w, PROMPT, "deliver", message);
  }
}

/** Whether the same message already waits to be taken: one more would be the same again. */
function waits(w: World, h: number, message: number): boolean {
  return w.rules.inboxes.items(inbox(w.now, h)).includes(message);
}

function lineEvents(w: World): void {
  const f = w.now;
  const line = at(f, LINE);
  const bothUp = (line & 3) === 3;
  const agents = [at(f, AGENT), at(f, AGENT + 1)];
  for (let h = 0; h < 2; h++) {
    if ((line & (UP << h)) !== 0 && (!bothUp || (line & CUTS) !== 0)) may(w, PROMPT, "notice", h);
  }
  const wantsLine = agents[0] !== DOWN && agents[0] !== IDLE && (line & (UP | CLOSED | CUTS)) === 0;
  if (wantsLine && agents[1] !== DOWN) may(w, PROMPT, "lineUp");
}

function copyEvents(w: World, calm: boolean): void {
  const f = w.now;
  const source = at(f, QEMU);
  const destination = at(f, QEMU + 1);
  const copy = (source & COPY) >> COPY_SHIFT;
  const incoming = (destination & COPY) >> COPY_SHIFT;
  const disks = at(f, DISKS);
  if ((disks & MIRROR) !== 0) {
    if ((destination & ALIVE) === 0) may(w, PROMPT, "disksFail");
    else if ((disks & ENDING) !== 0) may(w, PROMPT, "disksEnded");
    else if ((disks & CAUGHT_UP) === 0) may(w, PROMPT, "disksReady");
  }
  if ((source & ALIVE) !== 0) {
    if (copy === ACTIVE || copy === DEVICE || copy === SERVING) {
      if ((destination & STREAM) === 0) {
        may(w, PROMPT, "sourceStreamEnds");
        // At its very end a post-copy fails instead of waiting for a new stream.
        if (copy === SERVING && !calm) may(w, STORMY, "postcopyFails");
      } else if (copy !== ACTIVE && incoming === STREAMING) may(w, PROMPT, "finalSent");
      else if (copy !== ACTIVE && incoming === LOADED) may(w, PROMPT, "acknowledge");
      else if (copy === SERVING && incoming === PARTLY) may(w, PROMPT, "pulled");
      else if (copy === ACTIVE) {
        const { configuration, source: side, inboxes } = w.rules;
        const agent = at(f, AGENT);
        const isThere = (source & RUNS) !== 0 || (at(f, TRUTH) & STANDS) !== 0;
        const decides = configuration.accelerator === "kvm" && isThere;
        const upToDate = !inboxes.items(inbox(f, 0)).includes(w.number(0, "sample"));
        const isDecided = (source & POSTCOPY) !== 0;
        if (
          decides &&
          !isDecided &&
          agent > IDLE &&
          side.phase(agent) === "copying" &&
          (at(f, LINE) & UP) !== 0 &&
          upToDate
        )
          may(w, PROMPT, "sample");
        may(w, PROMPT, "lastStep");
      }
    }
    if (copy === CANCELLING) may(w, PROMPT, "cancelled");
  }
  if ((destination & ALIVE) !== 0) {
    if (incoming === FULL || incoming === HALF) may(w, PROMPT, "load");
    const canNotice = incoming === STREAMING || incoming === PARTLY;
    if (canNotice && (destination & STREAM) === 0) may(w, PROMPT, "destinationStreamEnds");
  }
}

const cancellable: readonly string[] = [
  ...["sharingLease", "preparing", "copyingDisks", "copying", "pausing", "endingDisks"],
];

/** Copies of the source that have a stream. */
const streaming: readonly number[] = [ACTIVE, PRE, PRE_SPLIT, DEVICE, SERVING];

function faultEvents(w: World): void {
  const f = w.now;
  const line = at(f, LINE);
  const truth = at(f, TRUTH);
  const messages = at(f, MESSAGES);
  const { inboxes, sides } = w.rules;
  for (let message = 0; message < messageCount; message++) {
    if (((messages >> message) & 1) === 0) continue;
    may(w, FAULT, "loseMessage", message);
    const h = receiverOf(message);
    if (at(f, AGENT + h) !== DOWN && !waits(w, h, inputOf(message))) may(w, FAULT, "deliverTwice", message);
  }
  if (at(f, AGENT + 1) === IDLE && (messages >> PREPARE) & 1) {
    may(w, FAULT, "beginWithFullDisk");
    may(w, FAULT, "beginWithLateError");
  }
  for (let h = 0; h < 2; h++) {
    const agent = at(f, AGENT + h);
    const isDead = (truth & (DEAD << h)) !== 0;
    if (agent !== DOWN) {
      may(w, FAULT, "agentDies", h);
      const input = inboxes.first(inbox(f, h));
      const step = input < 0 ? null : w.stepFor(h, agent, input);
      if (step !== null) {
        for (const done of step.deaths) may(w, FAULT, "takeThenDie", h | (done << 1));
        if (step.writes) may(w, FAULT, "takeWithFullDisk", h);
        if (step.writesVital) may(w, FAULT, "takeWithLateError", h);
      }
    }
    if ((at(f, QEMU + h) & ALIVE) !== 0) {
      may(w, FAULT, "qemuDies", h);
      const words = wordsOfQemu(w, h);
      for (let read = 0; read < words; read++) may(w, FAULT, "qemuDiesUnheard", h | (read << 1));
      const command = nextCommand(w, h);
      if (command === "resumeVcpus" || command === "activateDisks") may(w, FAULT, "contRefused", h);
    }
    if (!isDead) may(w, FAULT, "hostDies", h);
    const isExpiring = (truth & (EXPIRING << h)) !== 0;
    // A row in a database does not run out.
    if (w.rules.configuration.apart === true) continue;
    if (!isDead && !isExpiring && w.rules.holds(at(f, LEASE), h)) may(w, FAULT, "storageLost", h);
  }
  if ((line & CUTS) === 0 && (line & CLOSED) === 0) for (const cut of [1, 2, 3]) may(w, FAULT, "cut", cut);
  if ((line & OUTAGES) === 0) for (const outage of [1, 2, 3]) may(w, FAULT, "outage", outage);
  // What stops the guest at the destination is no business of the move any more.
  if ((at(f, QEMU) & RUNS) !== 0) {
    may(w, FAULT, "guestStops");
    may(w, FAULT, "guestShutsDown");
  }
  const source = at(f, AGENT);
  if (source > IDLE && cancellable.includes(sides[0].phase(source))) may(w, FAULT, "cancel");
  // In every phase: those in which they come too late must refuse them.
  if (source > IDLE) for (const change of limitChanges.keys()) may(w, FAULT, "limits", change);
  if ((at(f, DISKS) & MIRROR) !== 0) may(w, FAULT, "disksFail");
  const destination = at(f, QEMU + 1);
  const copy = (at(f, QEMU) & COPY) >> COPY_SHIFT;
  if ((destination & STREAM) !== 0 && streaming.includes(copy)) may(w, FAULT, "streamBreaks");
  const incoming = (destination & COPY) >> COPY_SHIFT;
  if (incoming === FULL || incoming === HALF) may(w, FAULT, "loadFails");
  if ((truth & THIRD_RUNS) === 0) may(w, FAULT, "thirdAsks");
  const runsThere =
    at(f, AGENT + 1) > IDLE && ["running", "ended"].includes(sides[1].phase(at(f, AGENT + 1)));
  if (runsThere && (destination & RUNS) !== 0 && at(f, COMMANDS + 1) === 0) may(w, FAULT, "userStops");
}
