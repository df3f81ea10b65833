/**
 * The images of a VM whose disks move with it: which are there, which have all that the guest has written, and which host
 * describes the VM, so that it could be started from there. Nothing here decides anything.
 */
import {
  ALIVE,
  at,
  CAUGHT_UP,
  clear,
  DESCRIBED_THERE,
  DISKS,
  ENDING,
  FENCED,
  LEASE,
  MIRROR,
  QEMU,
  RAN_AT_DESTINATION,
  RUNS,
  set,
  SOURCE_IMAGE,
  STALE_IMAGE,
  type State,
  TARGET_IMAGE,
  TRUTH,
  WHOLE,
} from "./layout.ts";
import type { World } from "./world.ts";

const isApart = (w: World): boolean => w.rules.configuration.apart === true;

const isFenced = (f: State, h: number): boolean => (at(f, TRUTH) & (FENCED << h)) !== 0;

/** Whether the images of host `h` have all that was acknowledged; with the destination off for ever, the source's are the newest. */
function hasAll(f: State, h: number): boolean {
  const disks = at(f, DISKS);
  if (h === 0) {
    const isOld = (at(f, TRUTH) & RAN_AT_DESTINATION) !== 0 && !isFenced(f, 1);
    return (disks & SOURCE_IMAGE) !== 0 && !isOld;
  }
  return (disks & TARGET_IMAGE) !== 0 && (disks & WHOLE) !== 0 && (disks & STALE_IMAGE) === 0;
}

const isDescribed = (f: State, h: number): boolean =>
  (at(f, DISKS) & (h === 0 ? SOURCE_IMAGE : DESCRIBED_THERE)) !== 0;

export function makeTarget(w: World): void {
  if (isApart(w)) set(w.now, DISKS, TARGET_IMAGE);
}

/** The destination describes the VM, before its guest can run there or is told to have died there. */
export function describeThere(w: World): void {
  if (isApart(w)) set(w.now, DISKS, DESCRIBED_THERE);
}

export function copyDisks(w: World): void {
  const f = w.now;
  const bothLive = (at(f, QEMU) & at(f, QEMU + 1) & ALIVE) !== 0;
  if (bothLive) set(f, DISKS, MIRROR);
  else w.give(0, "disksFailed");
}

export function endDisks(w: World): void {
  const disks = at(w.now, DISKS);
  if ((disks & MIRROR) !== 0 && (disks & CAUGHT_UP) !== 0) set(w.now, DISKS, ENDING);
  else w.give(0, "disksFailed");
}

export function disksReady(w: World): void {
  set(w.now, DISKS, CAUGHT_UP);
  w.give(0, "disksReady");
}

export function disksEnded(w: World): void {
  endMirrors(w);
  set(w.now, DISKS, WHOLE);
  w.give(0, "disksEnded");
}

export function disksFail(w: World): void {
  endMirrors(w);
  w.give(0, "disksFailed");
}

/** They are cancelled, or end with their QEMU. */
export function endMirrors(w: World): void {
  clear(w.now, DISKS, MIRROR | CAUGHT_UP | ENDING);
}

/** An agent removes its host's files of the VM. */
export function removeDisks(w: World, h: number): void {
  const f = w.now;
  const other = hasAll(f, 1 - h) && isDescribed(f, 1 - h);
  const isThere = h === 0 ? isDescribed(f, 0) : (at(f, DISKS) & TARGET_IMAGE) !== 0;
  // With the other host off for ever nobody can use what is removed here: it never was the VM's.
  if (isThere && !other && !isFenced(f, 1 - h))
    w.broken("the only images with all that was written are removed");
  if (isThere && isFenced(f, 1 - h) && isDescribed(f, h)) w.broken("the last images of the VM are removed");
  clear(f, DISKS, h === 0 ? SOURCE_IMAGE : TARGET_IMAGE | DESCRIBED_THERE | WHOLE | STALE_IMAGE);
  w.give(h, "disksRemoved");
}

/** A host that is off for ever takes its images with it. */
export function fenceDisks(w: World, h: number): void {
  clear(
    w.now,
    DISKS,
    h === 0
      ? SOURCE_IMAGE
      : TARGET_IMAGE | DESCRIBED_THERE | WHOLE | STALE_IMAGE | MIRROR | CAUGHT_UP | ENDING,
  );
}

/** Looked at after each event. */
export function lookAtDisks(w: World): void {
  if (!isApart(w)) return;
  const f = w.now;
  const disks = at(f, DISKS);
  if ((at(f, QEMU) & RUNS) !== 0 && (disks & WHOLE) !== 0) set(f, DISKS, STALE_IMAGE);
  if ((at(f, QEMU) & RUNS) !== 0 && (disks & SOURCE_IMAGE) === 0)
    w.broken("the VM runs at the source without its images");
  if ((at(f, QEMU + 1) & RUNS) !== 0 && !hasAll(f, 1))
    w.broken("the VM runs at the destination on images that lack what was written");
  if ((at(f, QEMU + 1) & RUNS) !== 0 && (disks & DESCRIBED_THERE) === 0)
    w.broken("the VM runs at the destination, and could not be started there again");
  const lease = at(f, LEASE);
  const areBoth = isDescribed(f, 0) && isDescribed(f, 1);
  if (areBoth && !(w.rules.holds(lease, 0) && w.rules.holds(lease, 1)))
    w.broken("the VM could be started from two places");
  if (!w.rules.isFree(lease)) return;
  for (let h = 0; h < 2; h++)
    if (isDescribed(f, h) && !hasAll(f, h))
      w.broken("the VM could be started from images that lack what was written");
  const someOff = isFenced(f, 0) || isFenced(f, 1);
  if (!someOff && !isDescribed(f, 0) && !isDescribed(f, 1)) w.broken("the VM can be started nowhere");
}

/** What is wrong with the images in a state in which nothing goes on any more; null: nothing. */
export function endOfDisks(w: World, state: State): string | null {
  if (!isApart(w)) return null;
  const disks = at(state, DISKS);
  const isThere = isDescribed(state, 1);
  if (!isThere && (disks & TARGET_IMAGE) !== 0) return "images are left at a destination that has not the VM";
  if (isThere && isDescribed(state, 0)) return "both hosts describe the VM";
  if ((at(state, QEMU) & ALIVE) !== 0 && !isDescribed(state, 0))
    return "the VM is at the source, its images are not";
  if ((at(state, QEMU + 1) & ALIVE) !== 0 && !isThere)
    return "the VM is at the destination, its images are not";
  return null;
}
