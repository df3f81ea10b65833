/** What the two reducers are told, with all figures fixed: the same words for all problems, the same time always. */
import { vmSchema, type MoveOrder, type Problem } from "@godwit/contract";
import type { DestinationInput, LeaseAnswer, SourceInput, ToDestination, ToSource } from "../src/index.ts";
import { destinationTimers, sourceTimers, type Configuration, type toDestinationNames } from "./names.ts";

/** Every problem is the same problem. */
export const problem: Problem = {
  type: "x",
  title: "x",
  status: 500,
  detail: "x",
  code: "X",
  remedy: "x",
  retry: "never",
  details: {},
};
const atMs = 1000;
/** Little is left to send: the copy decides to switch whenever it may. */
const switchSample = {
  atMs: 1e9,
  round: 2,
  remainingBytes: 4096,
  transferredBytes: 1e6,
  totalBytes: 64e6,
  bytesPerSecond: 1e8,
  dirtyBytesPerSecond: 1e6,
  passBegins: true,
};
/** Much is left: where memory may be split, it is. */
const largeSample = { ...switchSample, remainingBytes: 32e6 };

export function orderFor({
  accelerator,
  strategy,
  objective,
  apart,
  postcopyLeftOut,
}: Configuration): MoveOrder {
  return {
    id: "11111111-1111-4111-8111-111111111111" as MoveOrder["id"],
    vm: vmSchema.parse({
      version: 1,
      id: "22222222-2222-4222-8222-222222222222",
      name: "web-1",
      datastore: "shared",
      memoryMib: 64,
      vcpus: 1,
      cpu: { model: "qemu64-v1" },
      machine: "pc-q35-7.2",
      disks: [],
      nics: [],
    }),
    from: "a",
    to: { host: "b", agentUrl: "https://b:8444" },
    maxOutageMs: 50,
    accelerator,
    strategy,
    ...(objective === undefined ? {} : { objective }),
    ...(postcopyLeftOut === true ? { postcopyMayBeLeftOut: true } : {}),
    bandwidthBytesPerSecond: null,
    ...(apart === true ? { storage: { datastore: "local" } } : {}),
  };
}

const answered = (answer: LeaseAnswer) => ({ type: "leaseAnswered", answer }) as const;

const heldBy = (host: string, fresh = true): LeaseAnswer => ({
  kind: "heldBy",
  holders: [{ host, fresh }],
  problem,
});

const leftOut = ({ postcopyLeftOut }: Configuration) =>
  postcopyLeftOut === true ? { postcopyLeftOut: "x" } : {};

export function sourceInputs(configuration: Configuration): Record<string, SourceInput> {
  const { left, apart } = configuration;
  const disks = apart === true ? { disksPort: 4446 } : {};
  const messages: ToSource[] = [
    { type: "prepared", address: "10.0.0.2", port: 4444, ...disks, ...leftOut(configuration) },
    { type: "running", commitToResumeMs: 0 },
    { type: "gaveUp", problem },
    { type: "died", problem },
    { type: "ready" },
    { type: "postcopyReceiving", commitToResumeMs: 0 },
    { type: "streamLost" },
    { type: "recovering", address: "10.0.0.2", port: 4445 },
  ];
  const sample = left === "much" ? largeSample : switchSample;
  return {
    ...Object.fromEntries(
      messages.map((message): [string, SourceInput] => [message.type, { type: "message", message, atMs }]),
    ),
    ...Object.fromEntries(
      sourceTimers.map((timer): [string, SourceInput] => [`timer ${timer}`, { type: "timer", timer, atMs }]),
    ),
    start: { type: "start" },
    leaseShared: answered({ kind: "granted", mode: "SH", fenced: [] }),
    leaseExclusive: answered({ kind: "granted", mode: "EX", fenced: [] }),
    leaseExclusiveFenced: answered({ kind: "granted", mode: "EX", fenced: ["b"] }),
    leaseHeldByPeer: answered(heldBy("b")),
    leaseHeldByThird: answered(heldBy("c")),
    leaseNotHeld: answered({ kind: "notHeld", problem }),
    leaseUnknown: answered({ kind: "unknown", problem }),
    peerUp: { type: "peerUp" },
    peerDown: { type: "peerDown" },
    sample: { type: "sample", sample, peerFresh: true },
    paused: { type: "paused", atMs, pass: 1 },
    guestPaused: { type: "guestPaused", pauseReason: "io-error" },
    guestShutDown: { type: "guestPaused", pauseReason: "shutdown" },
    preSwitchover: { type: "preSwitchover", atMs },
    completed: { type: "completed" },
    postcopyActive: { type: "postcopyActive" },
    streamBroken: { type: "streamBroken" },
    copyStuck: { type: "copyStuck", reason: "x" },
    copyEnded: { type: "copyEnded", reason: "x" },
    disksReady: { type: "disksReady", atMs },
    disksEnded: { type: "disksEnded", atMs },
    disksFailed: { type: "disksFailed", problem },
    disksRemoved: { type: "disksRemoved" },
    resumed: { type: "resumed" },
    resumeFailed: { type: "resumeFailed", reason: "x" },
    qemuGone: { type: "qemuGone", reason: "x", heardAll: true },
    qemuGoneUnheard: { type: "qemuGone", reason: "x", heardAll: false },
    disksActive: { type: "disksActive" },
    removed: { type: "removed" },
    released: { type: "released" },
    cancel: { type: "cancel" },
    limitsPause: { type: "limits", limits: { maxOutageMs: 1000 }, because: "asked" },
    limitsRate: { type: "limits", limits: { bandwidthBytesPerSecond: 5e7 }, because: "shared" },
    journalFailed: { type: "journalFailed", problem },
  };
}

export function destinationInputs(
  order: MoveOrder,
  configuration: Configuration,
): Record<string, DestinationInput> {
  // In the order of their numbers.
  const messages: Record<(typeof toDestinationNames)[number], ToDestination> = {
    prepare: { type: "prepare", order },
    commit: { type: "commit" },
    commitPaused: { type: "commit", pauseReason: "user" },
    abandon: { type: "abandon" },
    sourceQemuLost: { type: "sourceQemuLost" },
    sourceCleanedUp: { type: "sourceCleanedUp" },
    recover: { type: "recover" },
  };
  return {
    ...Object.fromEntries(
      Object.entries(messages).map(([name, message]): [string, DestinationInput] => [
        name,
        { type: "message", message, atMs },
      ]),
    ),
    ...Object.fromEntries(
      destinationTimers.map((timer): [string, DestinationInput] => [
        `timer ${timer}`,
        { type: "timer", timer, atMs },
      ]),
    ),
    prepared: { type: "prepared", address: "10.0.0.2", port: 4444, ...leftOut(configuration) },
    prepareFailed: { type: "prepareFailed", problem },
    loaded: { type: "loaded", memoryComplete: true },
    loadedPartly: { type: "loaded", memoryComplete: false },
    memoryComplete: { type: "memoryComplete", waited: null },
    streamBroken: { type: "streamBroken" },
    streamResumed: { type: "streamResumed" },
    recovering: { type: "recovering", address: "10.0.0.2", port: 4445 },
    loadFailed: { type: "loadFailed", reason: "x" },
    resumed: { type: "resumed", commitToResumeMs: 0, start: null },
    resumeFailed: { type: "resumeFailed", reason: "x" },
    disksActive: { type: "disksActive" },
    qemuGone: { type: "qemuGone", reason: "x" },
    removed: { type: "removed" },
    disksRemoved: { type: "disksRemoved" },
    released: { type: "released" },
    superseded: { type: "superseded" },
    leaseExclusive: answered({ kind: "granted", mode: "EX", fenced: [] }),
    leaseHeldByFreshPeer: answered(heldBy("a")),
    leaseHeldByPeer: answered(heldBy("a", false)),
    leaseHeldByThird: answered(heldBy("c")),
    leaseNotHeld: answered({ kind: "notHeld", problem }),
    leaseUnknown: answered({ kind: "unknown", problem }),
    peerUp: { type: "peerUp" },
    peerDown: { type: "peerDown" },
    journalFailed: { type: "journalFailed", problem },
  };
}
