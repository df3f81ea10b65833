/**
 * The agents: they take inputs one after the other, do what the reducers decide in order, die between any
 * two effects, and come back with what their journals and their QEMUs tell, as the shells in apps/agent do.
 */
import { copyDisks, describeThere, endDisks, makeTarget, removeDisks } from "./disks.ts";
import { finished, memoryGone } from "./judge.ts";
import {
  AGENT,
  ALIVE,
  ANSWER,
  ASKS,
  at,
  BROKEN,
  CANCELLING,
  clear,
  CLOSED,
  COMMANDS,
  COMPLETED,
  CONT_ANSWER,
  COPY,
  COPY_SHIFT,
  ENDED,
  FAILED,
  inbox,
  setInbox,
  inputOf,
  JOURNAL,
  LINE,
  LISTENING,
  LOADED,
  MESSAGES,
  PARTLY,
  QEMU,
  RAN_AT_DESTINATION,
  receiverOf,
  RECOVERS,
  REFUSED,
  RUNS,
  SERVING,
  set,
  STALE,
  STANDS,
  TIMERS,
  toSource,
  TRUTH,
  UP,
  WAITS,
} from "./layout.ts";
import { ask } from "./lease-service.ts";
import {
  ACQUIRE_EX,
  ACQUIRE_SH,
  CONVERT_EX,
  CONVERT_SH,
  DOWN,
  effectBits,
  type EffectName,
  IDLE,
  nameOf,
  outcomeName,
  RELEASE,
  toSourceNames,
  UNASKED,
} from "./names.ts";
import { tellQemu } from "./qemu.ts";
import type { Step } from "./rules.ts";
import type { World } from "./world.ts";

export function take(w: World, h: number): void {
  const f = w.now;
  const { inboxes } = w.rules;
  const input = inboxes.first(inbox(f, h));
  setInbox(f, h, inboxes.rest(inbox(f, h)));
  const agent = at(f, AGENT + h);
  const step = input < 0 ? null : w.stepFor(h, agent, input);
  if (step === null) return;
  enter(w, h, step);
}

export function enter(w: World, h: number, { state, effects, wrong }: Step): void {
  if (wrong !== null) {
    w.broken(wrong);
    return;
  }
  w.now[AGENT + h] = state;
  for (let index = 0; index < effects.length; index++) {
    if (index === w.stopAfter.effects) return;
    const effect = effects[index] ?? 0;
    if (!perform(w, h, nameOf(effect), effect >> effectBits)) return;
  }
}

/** @returns false when what follows must not be done */
export function perform(w: World, h: number, name: EffectName, argument: number): boolean {
  const f = w.now;
  const { inboxes, journals } = w.rules;
  const side = w.side(h);
  switch (name) {
    case "journal":
      if (w.disk !== "full") f[JOURNAL + h] = journals.append(at(f, JOURNAL + h), argument);
      if (w.disk !== "sound") {
        if (!side.isVital(argument)) return true;
        const rest = inboxes.items(inbox(f, h));
        setInbox(f, h, inboxes.numberOf([w.number(h, "journalFailed"), ...rest]));
        return false;
      }
      // A guest that is not let run is the destination's from here on.
      if (h === 1 && side.entry(argument).at === "arrived") {
        set(f, TRUTH, RAN_AT_DESTINATION);
        if ((at(f, QEMU + 1) & ALIVE) === 0) memoryGone(w); // it may have died since it answered
      }
      return true;
    case "send":
      if ((at(f, LINE) & (UP << h)) === 0) return true;
      if ((at(f, LINE) & (UP << (1 - h))) === 0) return true; // the other end has ended this line
      set(f, MESSAGES, 1 << (argument + (h === 0 ? 0 : toSource)));
      return true;
    case "arm":
      set(f, TIMERS + h, 1 << argument);
      return true;
    case "disarm":
      clear(f, TIMERS + h, 1 << argument);
      return true;
    case "shareLease":
      ask(w, h, CONVERT_SH);
      return true;
    case "exclusiveLease":
      ask(w, h, CONVERT_EX);
      return true;
    case "reacquireLease":
      ask(w, h, ACQUIRE_EX);
      return true;
    case "releaseLease":
      ask(w, h, RELEASE);
      return true;
    case "prepare":
      ask(w, h, ACQUIRE_SH);
      makeTarget(w);
      f[QEMU + 1] = ALIVE | (LISTENING << COPY_SHIFT);
      return true;
    case "copyDisks":
      copyDisks(w);
      return true;
    case "endDisks":
      endDisks(w);
      return true;
    case "removeDisks":
      removeDisks(w, h);
      return true;
    case "startCopy":
    case "pauseVcpus":
    case "startPostcopy":
    case "continueSwitchover":
    case "breakStream":
    case "resumeStream":
    case "recoverStream":
    case "cancelCopy":
    case "resumeVcpus":
    case "activateDisks":
    case "remove":
      if (h === 1 && takesOver(w, name)) describeThere(w);
      tellQemu(w, h, name);
      return true;
    case "finish":
      f[TIMERS + h] = 0;
      finished(w, outcomeName(argument));
      return true;
    case "close":
      set(f, LINE, CLOSED);
      lineDown(w, 0);
      f[AGENT] = IDLE;
      f[JOURNAL] = 0;
      setInbox(f, 0, 0);
      f[TIMERS] = 0;
      return true;
    case "nothing":
      return true;
  }
}

/** Whether the destination's agent puts the VM's description in its place first. */
const takesOver = (w: World, effect: EffectName): boolean =>
  effect === "resumeVcpus" ||
  effect === "activateDisks" ||
  (effect === "remove" && w.side(1).phase(at(w.now, AGENT + 1)) === "died");

/** A message arrives at the agent of host `h`. */
export function hear(w: World, message: number): void {
  const f = w.now;
  const h = receiverOf(message);
  const name = inputOf(message);
  const agent = at(f, AGENT + h);
  if (agent > IDLE) {
    w.push(h, name);
    return;
  }
  if (h === 0 || agent === DOWN) return;
  // The destination's agent knows of no such move.
  const heard = w.rules.hearWithoutMove((at(f, LINE) & REFUSED) !== 0, name);
  if (heard.do === "begin") {
    enter(w, 1, w.rules.startDestination);
    w.give(1, "peerUp");
    if ((at(f, LINE) & (UP << 1)) === 0) w.give(1, "peerDown");
    return;
  }
  if (heard.refuse) set(f, LINE, REFUSED);
  if (heard.answer !== null) perform(w, 1, "send", toSourceNames.indexOf(heard.answer));
}

export function agentDies(w: World, h: number): void {
  const f = w.now;
  f[AGENT + h] = DOWN;
  clear(f, QEMU + h, CONT_ANSWER); // nobody is there to read it
  setInbox(f, h, 0);
  f[TIMERS + h] = 0;
  const [asked] = w.rules.asks.items(at(f, ASKS + h));
  // What was asked is taken, sooner or later; nobody hears the answer.
  if (asked !== undefined && at(f, ANSWER + h) === UNASKED) set(f, STALE + h, 1 << asked);
  f[ASKS + h] = 0;
  f[ANSWER + h] = UNASKED;
  lineDown(w, h);
  if (h === 1) clear(f, LINE, REFUSED);
}

export function agentReturns(w: World, h: number): void {
  const f = w.now;
  const { journals } = w.rules;
  f[COMMANDS + h] = 0; // a monitor that was left drops what it had not yet read
  const journal = journals.items(at(f, JOURNAL + h));
  const side = w.side(h);
  // A move of which not even the beginning was written is none.
  if (journal[0] === undefined || side.entry(journal[0]).at !== "started") {
    f[AGENT + h] = IDLE;
    f[JOURNAL + h] = 0;
    return;
  }
  const qemu = at(f, QEMU + h);
  const copy = (qemu & COPY) >> COPY_SHIFT;
  const isComplete = copy === (h === 0 ? COMPLETED : LOADED);
  const isBroken = h === 0 ? copy === BROKEN : copy === WAITS || copy === RECOVERS;
  const isPartial = isBroken || copy === (h === 0 ? SERVING : PARTLY);
  const observed =
    (qemu & (ALIVE | RUNS)) |
    (isComplete ? 4 : 0) |
    (isPartial ? 8 : 0) |
    (isBroken ? 16 : 0) |
    ((h === 0 ? copy === ENDED || copy === CANCELLING : copy === FAILED) ? 32 : 0) |
    (stoppedByItself(w) ? 64 : 0);
  enter(w, h, side.restore(at(f, JOURNAL + h), observed));
}

/** QEMU can tell of an I/O error or a shutdown, but a user's pause looks like a move's. */
const stoppedByItself = (w: World): boolean =>
  (at(w.now, TRUTH) & STANDS) !== 0 && w.rules.configuration.paused !== true;

/** One end's line is gone: what was under way to it is lost. */
export function lineDown(w: World, h: number): void {
  clear(w.now, LINE, UP << h);
  clear(w.now, MESSAGES, h === 1 ? (1 << toSource) - 1 : ~((1 << toSource) - 1));
}
