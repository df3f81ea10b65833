/**
 * How far a guest is slowed down so that its copy catches up, and what that is in QEMU's words. Auto-converge raises the
 * throttle by itself at every second pass that does not gain; here it is given one step that leads straight to the
 * ceiling, and the ceiling is moved instead: the guest is denied what was decided, and never more than its objective allows.
 */
import type { QemuSettings } from "../copy-decision.ts";

/** Each pass should leave this share of the one before. */
const wantedRatio = 0.6;
/** QEMU's lowest: as good as none. */
const lowest = 0.01;

/** The share of its time that the guest must be denied, 0 to 1, for a copy to catch up with what it changes. */
export function neededThrottle(dirtyBytesPerSecond: number, linkBytesPerSecond: number): number {
  if (dirtyBytesPerSecond <= 0) return 0;
  return Math.max(0, 1 - (wantedRatio * linkBytesPerSecond) / dirtyBytesPerSecond);
}

/**
 * How long a copy goes on until no more than `fitBytes` are left, where each pass leaves the same share of the one before;
 * Infinity: it never comes to that. Rates in bytes per second.
 */
export function catchUpMs(leftBytes: number, fitBytes: number, dirtyRate: number, linkRate: number): number {
  if (leftBytes <= fitBytes) return 0;
  if (linkRate <= 0 || fitBytes <= 0 || dirtyRate >= linkRate) return Number.POSITIVE_INFINITY;
  const ratio = Math.max(dirtyRate / linkRate, 0.001);
  const passes = Math.ceil(Math.log(fitBytes / leftBytes) / Math.log(ratio));
  return ((leftBytes / linkRate) * 1000 * (1 - ratio ** passes)) / (1 - ratio);
}

/** @param throttle 0 to 1; 0: the guest is let alone */
export function throttleParameters(throttle: number): QemuSettings["parameters"] {
  const percent = Math.max(1, Math.min(99, Math.floor(Math.max(throttle, lowest) * 100)));
  return {
    "max-cpu-throttle": percent,
    "cpu-throttle-initial": percent,
    "cpu-throttle-increment": 99,
    // Below this share of what was sent, changes slow nobody down; a raised throttle must not wait for it.
    "throttle-trigger-threshold": throttle === 0 ? 100 : 1,
  };
}

/** QEMU's own, for strategies that leave the throttle to it: an earlier move may have set others. */
export const qemuThrottleParameters: QemuSettings["parameters"] = {
  "max-cpu-throttle": 99,
  "cpu-throttle-initial": 20,
  "cpu-throttle-increment": 10,
  "throttle-trigger-threshold": 50,
};
