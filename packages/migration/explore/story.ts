/** What happens, for people: one line for each event, with the names of who does what. */
import {
  AGENT,
  ANSWER,
  ASKS,
  at,
  COMMANDS,
  inbox,
  JOURNAL,
  kindBits,
  kindOf,
  inputOf,
  receiverOf,
  type EventKind,
  type State,
} from "./layout.ts";
import {
  commandNames,
  destinationTimers,
  DOWN,
  hosts,
  IDLE,
  questions,
  sourceTimers,
  toDestinationNames,
  toSourceNames,
} from "./names.ts";
import type { World } from "./world.ts";

const cuts = ["", "towards b", "towards a", "both ways"];
const outages = ["", "from a", "from b", "from anywhere"];
const answers = [
  "nothing",
  "granted",
  "granted; the other's host was fenced",
  "the other host holds it",
  "host c holds it",
  "not a holder",
  "not available",
];

/** @param before the state before the event; the world is in the state after it */
export function sentence(w: World, before: State, event: number): string {
  const argument = event >> kindBits;
  const h = argument & 1;
  const host = hosts[h] ?? "";
  const message = () => {
    const names = receiverOf(argument) === 1 ? toDestinationNames : toSourceNames;
    return `"${names[inputOf(argument)] ?? ""}" to ${hosts[receiverOf(argument)]}`;
  };
  const taken = () => {
    const input = w.rules.inboxes.first(inbox(before, h));
    return `${host}'s agent, ${phase(w, before, h)}, takes ${w.side(h).inputs[input] ?? ""}`;
  };
  const asked = () => {
    const question = questions[w.rules.asks.first(at(before, ASKS + h))];
    return question === undefined ? "" : inWords(question);
  };
  const sentences: Record<EventKind, () => string> = {
    take: () => `${taken()}: ${phase(w, w.now, h)}`,
    takeThenDie: () => `${taken()}, and dies after ${String(argument >> 1)} of its effects`,
    takeWithFullDisk: () => `${taken()}, with its disk full: ${phase(w, w.now, h)}`,
    takeWithLateError: () =>
      `${taken()}, with an error of its disk after it has written: ${phase(w, w.now, h)}`,
    deliver: () => `the message ${message()} arrives`,
    beginWithFullDisk: () => `b's agent is told of the move, with its disk full: ${phase(w, w.now, 1)}`,
    beginWithLateError: () =>
      `b's agent is told of the move, with an error of its disk after it has written: ${phase(w, w.now, 1)}`,
    deliverTwice: () => `the message ${message()} arrives, and will once more`,
    loseMessage: () => `the message ${message()} is lost`,
    lineUp: () => "the line between the agents comes up",
    notice: () => `${host}'s agent notices that its line is dead`,
    cut: () => `the line is cut ${cuts[argument] ?? ""}`,
    heal: () => "the line is whole again",
    agentDies: () => `${host}'s agent dies`,
    agentReturns: () => {
      const journal = w.rules.journals
        .items(at(before, JOURNAL + h))
        .map((entry) => w.side(h).entry(entry).at);
      return `${host}'s agent comes back and reads its journal (${journal.join(", ")}): ${phase(w, w.now, h)}`;
    },
    qemuDies: () => `${host}'s QEMU dies`,
    qemuDiesUnheard: () => `${host}'s QEMU dies, and its last words are not read`,
    hostDies: () => `host ${host} loses its power`,
    hostReturns: () => `host ${host} is booted again`,
    fence: () => `host ${host} is fenced`,
    storageLost: () => `host ${host} loses its storage; its QEMU is ended`,
    leaseExpires: () => `host ${host}'s share of the lease has run out`,
    obey: () =>
      `${host}'s QEMU reads "${commandNames[w.rules.commands.first(at(before, COMMANDS + h))] ?? ""}"`,
    guestStops: () => "an I/O error stops the guest at a",
    guestShutsDown: () => "the guest shuts itself down at a",
    contAnswered: () => `${host}'s QEMU answers that the guest runs`,
    contRefused: () => `${host}'s QEMU refuses cont`,
    decideLease: () => {
      const answer = answers[at(w.now, ANSWER + h)] ?? "";
      return `the lease service is asked by ${host} to ${asked()}: ${answer}`;
    },
    answerLease: () => `${host}'s agent receives the lease service's answer`,
    leaseUnavailable: () =>
      `${host}'s agent gives up waiting for the lease service, which it had asked to ${asked()}${(argument & 2) === 0 ? "" : "; the question stays under way"}`,
    decideStale: () => {
      const number = argument >> 1;
      const question = questions[number % 6];
      const words = question === undefined ? "" : inWords(question);
      return `the lease service takes an old question of ${host}, to ${words}`;
    },
    outage: () => `the lease service cannot be reached ${outages[argument] ?? ""}`,
    outageEnds: () => "the lease service can be reached again",
    timer: () =>
      `${host}'s timer "${(h === 0 ? sourceTimers : destinationTimers)[argument >> 1] ?? ""}" runs out`,
    reconcile: () => `${host}'s agent puts its lease in order`,
    cancel: () => "the user cancels the move",
    limits: () =>
      argument === 0 ? "the user allows the move a longer pause" : "the move's share of its link changes",
    sample: () => "a pass of the copy begins, and little is left to send",
    lastStep: () => "a's QEMU has stopped the guest and waits for permission to send the final state",
    finalSent: () => "a's QEMU sends the final state",
    load: () => "b's QEMU has loaded what was sent",
    pulled: () => "b's QEMU has all the memory",
    loadFails: () => "b's QEMU cannot load the final state",
    acknowledge: () => "b's QEMU acknowledges: the copy is completed",
    disksReady: () => "the disks are mirrored",
    disksEnded: () => "the mirrors of the disks have ended: b's images are whole",
    disksFail: () => "a mirror of the disks fails",
    sourceStreamEnds: () => "a's QEMU notices that the copy's stream is broken",
    destinationStreamEnds: () => "b's QEMU notices that the copy's stream is broken",
    postcopyFails: () => "a's QEMU gives the rest of the copy up",
    cancelled: () => "a's QEMU has cancelled the copy",
    streamBreaks: () => "the copy's stream breaks",
    thirdAsks: () => "host c asks for the lease, to start the VM",
    userStops: () => "the user stops the VM at b",
  };
  return sentences[kindOf(event)]();
}

function phase(w: World, state: State, h: number): string {
  const agent = at(state, AGENT + h);
  if (agent === DOWN) return "down";
  return agent === IDLE ? "without a move" : w.side(h).phase(agent);
}

function inWords(question: (typeof questions)[number]): string {
  const kinds = { SH: "shared", EX: "exclusive" } as const;
  switch (question.ask) {
    case "acquire":
      return `have the lease ${kinds[question.mode]}`;
    case "convert":
      return `make its lease ${kinds[question.mode]}`;
    default:
      return `${question.ask} its lease`;
  }
}
