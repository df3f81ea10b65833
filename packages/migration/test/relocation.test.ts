/**
 * The move of a disk between datastores, with a QEMU, an agent and a guest that writes: whoever ends at whatever moment, `vm.json`
 * names an image that has all that the guest was told is written, and nothing is left in the end.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  relocationStep,
  type CopyJob,
  type ImageOf,
  type RelocationFacts,
} from "../src/disks/relocation-step.ts";

/** The two images, QEMU and `vm.json`; what is acknowledged to the guest is counted. */
class World {
  acknowledged = 0;
  /** How many of these each image has; null: it is not there. */
  readonly images: Record<ImageOf, number | null> = { source: 0, target: null };
  described: ImageOf = "source";
  /** Null: QEMU has ended. */
  used: ImageOf | null = "source";
  job: CopyJob | null = null;
  direction: "forward" | "back" = "forward";
  isOver = false;

  facts(): RelocationFacts {
    const { described, used, job, direction } = this;
    return { described, used, job, direction };
  }

  /** The guest's write, while the disk takes any. The copy holds it too unless it still copies: then perhaps later. */
  write(): void {
    if (this.used === null || this.job === "pending") return;
    this.acknowledged++;
    this.images[this.used] = this.acknowledged;
  }

  step(): void {
    if (this.isOver) return;
    switch (relocationStep(this.facts())) {
      case "copy":
        if (this.used === null) {
          this.images.target = this.images.source;
          this.described = "target"; // at rest the description follows at once
        } else {
          this.images.target = 0;
          this.job = "copying";
        }
        return;
      case "wait":
        if (this.job === "copying") this.job = "ready";
        return;
      case "end":
        this.images.target = this.images.source;
        this.job = "pending";
        return;
      case "cancel":
        this.job = "over";
        return;
      case "dismiss":
        this.job = null;
        if (this.described === "source") this.direction = "back";
        return;
      case "describeTarget":
        this.described = "target";
        return;
      case "describeSource":
        this.described = "source";
        this.direction = "back";
        return;
      case "change":
        this.used = "target";
        this.job = "over";
        return;
      case "removeSource":
        this.images.source = null;
        this.isOver = true;
        return;
      case "removeTarget":
        this.images.target = null;
        this.isOver = true;
        return;
    }
  }

  /** What has to be true whenever everything may end. */
  check(): void {
    const named = this.images[this.described];
    expect(named, "vm.json names an image that is there").not.toBeNull();
    // Without QEMU it is all that is left; with it, what QEMU uses counts, and vm.json follows.
    expect(named, `named: ${this.described}, used: ${String(this.used)}, job: ${String(this.job)}`).toBe(
      this.acknowledged,
    );
    if (this.used !== null) expect(this.images[this.used]).toBe(this.acknowledged);
  }
}

const happening = fc.constantFrom("step", "step", "step", "write", "cancel", "qemuEnds", "jobFails");

test("whoever ends at whatever moment, vm.json names what the guest has written, and nothing is left", () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), (happenings) => {
      const world = new World();
      for (const what of happenings) {
        if (what === "step") world.step();
        else if (what === "write") world.write();
        else if (what === "cancel") world.direction = "back";
        else if (what === "qemuEnds") {
          world.used = null;
          world.job = null;
        } else if (world.job === "copying" || world.job === "ready") world.job = "over";
        world.check();
      }
      for (let steps = 0; !world.isOver; steps++) {
        expect(steps, "it comes to an end").toBeLessThan(20);
        world.step();
        world.check();
      }
      expect(world.images[world.described === "source" ? "target" : "source"]).toBeNull();
      expect(world.job).toBeNull();
      if (world.used !== null) expect(world.used).toBe(world.described);
    }),
    { numRuns: 1500 },
  );
});

test("each combination of facts has a step, and what QEMU uses is never removed", () => {
  for (const described of ["source", "target"] as const)
    for (const used of ["source", "target", null] as const)
      for (const job of ["copying", "ready", "pending", "over", null] as const)
        for (const direction of ["forward", "back"] as const) {
          const step = relocationStep({ described, used, job, direction });
          if (step === "removeSource") expect([described, used]).toEqual(["target", used ?? null]);
          if (step === "removeSource") expect(used).not.toBe("source");
          if (step === "removeTarget") expect(used).not.toBe("target");
          if (step === "removeTarget") expect(described).toBe("source");
          if (used !== null && (step === "removeSource" || step === "removeTarget")) expect(job).toBeNull();
        }
});

test("a QEMU that refuses to change to the target leaves the description as it was", () => {
  const world = new World();
  while (relocationStep(world.facts()) !== "change") world.step();
  world.job = "over";
  expect(relocationStep(world.facts())).toBe("describeSource");
  for (let steps = 0; !world.isOver && steps < 10; steps++) world.step();
  expect(world.images.target).toBeNull();
  expect(world.described).toBe("source");
});
