/** What happened in each cell of the matrix, whether that is as it must be, and how it is shown. Pure. */
import type { DiskKind } from "./disks/disk.ts";
import type { HostName, Marks } from "./marks.ts";

/** Who goes on when the source has completed and the destination has loaded: neither runs at that moment. */
export const continuations = ["source", "destination", "both", "third"] as const;
export type Continuation = (typeof continuations)[number];

export interface Cell {
  disk: DiskKind;
  continues: Continuation;
  lease: boolean;
}

/** What keeps a host from running the guest. */
export type Stopper = "lease" | "image lock";

export interface Outcome extends Cell {
  /** Hosts whose QEMU says that its vCPUs run. */
  ran: HostName[];
  /** Hosts whose guest's marks on the disk grow. */
  wrote: HostName[];
  runners: number;
  /** The guest ran on several hosts at once. */
  doubled: boolean;
  /** What stopped the first host that was stopped. */
  stoppedBy: Stopper | null;
  stopped: { host: HostName; by: Stopper; words: string }[];
  /** Marks before anyone went on, and twice after: both of a double's grow from the second to the third. */
  marks: Marks[];
  /** With the lease: whoever runs in the end holds it alone. */
  heldAlone: boolean | null;
  seconds: number;
}

/** Where nothing but a lease keeps the guest from running twice. */
export const doublesWithoutLease = ({ disk, continues }: Cell): boolean =>
  disk !== "file" && (continues === "both" || continues === "third");

/** Why a cell counts as failed, in words. */
const failures = {
  "disk-disagrees": "QEMU and the marks on the disk disagree on who ran",
  "twice-under-lease": "it ran twice although the lease was asked",
  "nowhere-under-lease": "it ran nowhere in the end",
  "lease-not-alone": "whoever ran did not get the lease alone",
  "not-twice-without-lease": "the double that was expected did not happen",
  "twice-with-image-lock": "it ran twice where QEMU locks the image",
} as const;
export type Failure = keyof typeof failures;

/** Why a cell counts as failed; null when it is as it must be. */
export function failureOf(outcome: Outcome): Failure | null {
  const { ran, wrote, doubled, lease, heldAlone, runners } = outcome;
  if (ran.join() !== wrote.join()) return "disk-disagrees";
  if (lease && doubled) return "twice-under-lease";
  if (lease && runners === 0) return "nowhere-under-lease";
  if (lease && heldAlone !== true) return "lease-not-alone";
  if (!lease && doublesWithoutLease(outcome) && !doubled) return "not-twice-without-lease";
  if (!lease && !doublesWithoutLease(outcome) && doubled) return "twice-with-image-lock";
  return null;
}

const hostsText = (hosts: readonly HostName[]): string => hosts.join(" and ") || "nobody";

export function outcomeText(outcome: Outcome): string[] {
  const { disk, continues, lease, ran, doubled, stopped } = outcome;
  const failure = failureOf(outcome);
  return [
    disk,
    continues === "third" ? "third host" : continues,
    lease ? "with" : "without",
    String(outcome.runners),
    hostsText(ran),
    doubled ? "TWICE" : "",
    stopped.map(({ host, by }) => `${host} by the ${by}`).join(", "),
    failure === null ? "" : `FAILED: ${failures[failure]}`,
    ...(failure === "disk-disagrees" ? [`on the disk: ${hostsText(outcome.wrote)}`] : []),
  ];
}

export const heading = ["disk", "continues", "lease", "runners", "runs", "", "stopped", ""];
