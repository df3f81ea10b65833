/**
 * The words that the explorer has numbers for, in the order of those numbers: hosts, messages, timers,
 * effects, questions for leases and their answers. And the kinds of moves that differ.
 */
import { objectives, type MoveOrder } from "@godwit/contract";

/** The two hosts of the move, and a third that would like to have the VM. */
export const hosts = ["a", "b", "c"] as const;

/** An agent that is down, and one that knows of no move. */
export const DOWN = 0;
export const IDLE = 1;

export const toDestinationNames = [
  "prepare",
  "commit",
  /** The commit of a guest that stands still on its own account. */
  "commitPaused",
  "abandon",
  "sourceQemuLost",
  "sourceCleanedUp",
  "recover",
] as const;
/** Their numbers as inputs, and in what is under way: those to the source come after those to the destination. */
export const toSourceNames = [
  "prepared",
  "running",
  "gaveUp",
  "died",
  "ready",
  "postcopyReceiving",
  "streamLost",
  "recovering",
] as const;
export const sourceTimers = ["prepare", "peer", "budget", "switch", "commit", "retry", "undo"] as const;
export const destinationTimers = ["peer", "commit", "retry"] as const;

/** Other limits of a move that goes on: a longer pause, and another share of the link. */
export const limitChanges = ["limitsPause", "limitsRate"] as const;

/** What an effect does to the world; its argument is in the bits above. */
export const effectNames = [
  "nothing",
  "journal",
  "send",
  "arm",
  "disarm",
  "shareLease",
  "exclusiveLease",
  "reacquireLease",
  "prepare",
  "copyDisks",
  "endDisks",
  "removeDisks",
  "startCopy",
  "pauseVcpus",
  "startPostcopy",
  "continueSwitchover",
  "breakStream",
  "resumeStream",
  "recoverStream",
  "cancelCopy",
  "resumeVcpus",
  "activateDisks",
  "remove",
  "releaseLease",
  "finish",
  "close",
] as const;
export type EffectName = (typeof effectNames)[number];
export const effectBits = 5;
const effectMask = (1 << effectBits) - 1;
export const nameOf = (effect: number): EffectName => effectNames[effect & effectMask] ?? "nothing";

const unseen: readonly EffectName[] = ["nothing", "arm", "disarm", "finish"];
/** Whether anyone but the agent itself can tell that this effect was done. */
export const isSeen = (effect: number): boolean => !unseen.includes(nameOf(effect));

/** What a QEMU is told: it reads one after the other, some time after it was told. */
export const commandNames = [
  "startCopy",
  "pauseVcpus",
  "startPostcopy",
  "continueSwitchover",
  "breakStream",
  "resumeStream",
  "recoverStream",
  "cancelCopy",
  "resumeVcpus",
  "activateDisks",
  "remove",
] as const satisfies readonly EffectName[];
export type CommandName = (typeof commandNames)[number];

/** What is asked of the lease service; the first six are the hosts' own questions. */
export const questions = [
  { ask: "acquire", mode: "SH" },
  { ask: "acquire", mode: "EX" },
  { ask: "convert", mode: "SH" },
  { ask: "convert", mode: "EX" },
  { ask: "release" },
  { ask: "fence" },
] as const;
export const [ACQUIRE_SH, ACQUIRE_EX, CONVERT_SH, CONVERT_EX, RELEASE, FENCE] = [0, 1, 2, 3, 4, 5] as const;

/** What the lease service answered. Held: by the other host of the move, or by the third only. */
export const [UNASKED, GRANTED, GRANTED_FENCED, HELD_BY_PEER, HELD_BY_THIRD, NOT_HELD, UNKNOWN] = [
  0, 1, 2, 3, 4, 5, 6,
] as const;
/** Questions are numbered, but only their order counts: one that comes after all that were decided, or before. */
export const [LATEST, OVERTAKEN] = [2, 0] as const;
export const DECIDED = 1;

export interface Configuration {
  accelerator: MoveOrder["accelerator"];
  qemuVersion: string;
  strategy: MoveOrder["strategy"];
  /** The course is chosen while the copy runs, with post-copy as the last resort. */
  objective?: MoveOrder["objective"];
  /** What is left to send when the guest may be stopped: little, so that it goes over with all its memory, or much. */
  left?: "little" | "much";
  /** The destination's QEMU cannot receive a post-copy, and the move goes on without. */
  postcopyLeftOut?: boolean;
  /** The user has paused the guest before the move. */
  paused?: boolean;
  /** The hosts share no storage: the disks move with the VM, and its lease is a row that no clock takes away. */
  apart?: boolean;
}

/** All samples are of the same moment: by then its time is over. */
const normal = { name: "normal", ...objectives.normal, deadlineMs: 1000 } as const;

/**
 * QEMU tells when to stop the guest by itself where only one pass of the copy can be trusted. With post-copy the
 * copy never fits the budget, so that post-copy is always begun.
 */
export const configurations = {
  kvm: { accelerator: "kvm", qemuVersion: "10.0.2", strategy: "precopy" },
  tcg: { accelerator: "tcg", qemuVersion: "7.2.22", strategy: "precopy" },
  postcopy: { accelerator: "kvm", qemuVersion: "7.2.22", strategy: "postcopy", left: "much" },
  kvmPaused: { accelerator: "kvm", qemuVersion: "10.0.2", strategy: "precopy", paused: true },
  postcopyPaused: {
    accelerator: "kvm",
    qemuVersion: "7.2.22",
    strategy: "postcopy",
    left: "much",
    paused: true,
  },
  /** Both QEMUs are set for post-copy; it is used, or it is not needed. */
  auto: { accelerator: "kvm", qemuVersion: "10.0.2", strategy: "precopy", objective: normal, left: "much" },
  autoFits: { accelerator: "kvm", qemuVersion: "10.0.2", strategy: "precopy", objective: normal },
  /** Neither QEMU is set for it after all. */
  autoWithout: {
    accelerator: "kvm",
    qemuVersion: "10.0.2",
    strategy: "precopy",
    objective: normal,
    postcopyLeftOut: true,
  },
  apart: { accelerator: "kvm", qemuVersion: "10.0.2", strategy: "precopy", apart: true },
  apartTcg: { accelerator: "tcg", qemuVersion: "7.2.22", strategy: "precopy", apart: true },
  apartPaused: { accelerator: "kvm", qemuVersion: "10.0.2", strategy: "precopy", apart: true, paused: true },
} as const satisfies Record<string, Configuration>;
export type ConfigurationName = keyof typeof configurations;

export const outcomes = ["moved", "stayed", "lost", "runs", "gaveUp", "died"] as const;
export type OutcomeName = (typeof outcomes)[number];
export const outcomeName = (number: number): OutcomeName => outcomes[number] ?? "lost";
