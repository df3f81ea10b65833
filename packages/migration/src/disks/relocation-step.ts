/**
 * What is done next when a disk of a VM moves to another datastore. Pure: it is asked again after every step, also by an
 * agent that was started again, and goes by what is true then, not by what was done before.
 *
 * The one rule: `vm.json` never names an image that lacks what the guest was told is written. QEMU's copy job writes to both
 * images and, once it is to end, holds the disk's requests back at a moment at which both are the same and flushed. It stays
 * there, pending, until it is told to go on. So `vm.json` is written while no write is acknowledged, and whoever reads it
 * after a crash, before or after it was written, finds an image that is whole:
 *
 *   vm.json   QEMU uses   copy job     forward            back
 *   source    source      none         copy               remove the target
 *   source    source      copying      wait               cancel
 *   source    source      ready        end it             cancel
 *   source    source      pending      write vm.json      cancel
 *   source    source      over         dismiss it, and it has failed
 *   source    target      any          write vm.json      write vm.json
 *   target    source      pending      let QEMU change    let QEMU change
 *   target    source      other        write vm.json back
 *   target    target      over         dismiss            dismiss
 *   target    target      none         remove the source  remove the source
 *
 * Without a QEMU nothing is written to either image, and `vm.json` says which one is whole.
 */

/** One of the two images. */
export type ImageOf = "source" | "target";

/** QEMU's copy job. `over`: it has ended, well or not. */
export type CopyJob = "copying" | "ready" | "pending" | "over";

export interface RelocationFacts {
  /** What `vm.json` names. */
  described: ImageOf;
  /** What the guest's disk is on; null: no QEMU of the VM runs. */
  used: ImageOf | null;
  /** Null: there is none. */
  job: CopyJob | null;
  /** `back`: it was cancelled, or has failed. */
  direction: "forward" | "back";
}

export type RelocationStep =
  /** Creates the target again, and begins to copy. */
  | "copy"
  | "wait"
  /** Has QEMU hold the disk's requests back once both images are the same. */
  | "end"
  | "cancel"
  | "dismiss"
  | "describeTarget"
  | "describeSource"
  /** Has QEMU use the target, and lets the held requests go on. */
  | "change"
  /** These end it. */
  | "removeSource"
  | "removeTarget";

export function relocationStep({ described, used, job, direction }: RelocationFacts): RelocationStep {
  if (used === null)
    return described === "target" ? "removeSource" : direction === "back" ? "removeTarget" : "copy";
  if (described === "target") {
    if (used === "source") return job === "pending" ? "change" : "describeSource";
    return job === null ? "removeSource" : job === "over" ? "dismiss" : "wait";
  }
  if (used === "target") return "describeTarget";
  switch (job) {
    case null:
      return direction === "back" ? "removeTarget" : "copy";
    case "over":
      return "dismiss";
    case "copying":
      return direction === "back" ? "cancel" : "wait";
    case "ready":
      return direction === "back" ? "cancel" : "end";
    case "pending":
      return direction === "back" ? "cancel" : "describeTarget";
  }
}
