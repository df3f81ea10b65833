import { globSync } from "node:fs";
import { defineConfig } from "vitest/config";
import LongestFirst from "./scripts/longest-first.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The installed QEMU, and those that `godwit setup` has unpacked beside it: tests of QEMU ask each of them. */
    qemuBinaries: readonly string[];
  }
}
/** Where Debian's own is missing its tests fail: they are not left out silently. */
const qemuBinaries = [
  "/usr/bin/qemu-system-x86_64",
  ...globSync("/var/cache/godwit/qemu/*/bin/qemu-system-x86_64"),
];

/** The packages that decide and never do: their tests are computing and nothing else, some of them minutes of it. */
const pure = ["cpu", "migration", "placement", "requirements", "contract"].map(
  (name) => `packages/${name}/test/**/*.test.ts`,
);

/** Stories that wait for leases and hosts, minutes long, and compute little: they are told beside the others. */
const waiting = ["lease", "restart", "pool-restart", "fence-program"].map(
  (name) => `tests/system/${name}.test.ts`,
);
/** Longer than what a story waits for takes together. */
const story = { testTimeout: 600_000, hookTimeout: 600_000, maxConcurrency: 1 };

/** A poll ends when it has what it waits for: how long that takes says something of the machine only. */
const patientPolls = { poll: { timeout: 60_000 } };

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "packages/*/test/**/*.test.ts",
            "apps/*/test/**/*.test.ts",
            "lab/test/**/*.test.ts",
            "faults/test/**/*.test.ts",
            "packaging/test/**/*.test.ts",
            "rack/test/**/*.test.ts",
          ],
          exclude: pure,
          provide: { qemuBinaries },
          // Beside the stories of the labs (scripts/test.sh).
          maxWorkers: 1,
          expect: patientPolls,
          // Beside all others it may have a twentieth of a CPU for a while: only one that hangs takes so long.
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: "pure",
          include: pure,
          provide: { qemuBinaries },
          // Beside the others, at the lowest priority (scripts/test.sh): how long one takes says nothing.
          testTimeout: 1_800_000,
          hookTimeout: 600_000,
          expect: patientPolls,
          maxWorkers: 1,
          // Node runs them as they are: Vitest's own loader makes each name that is imported a lookup, which halves the speed.
          experimental: { viteModuleRunner: false },
        },
      },
      {
        test: {
          name: "system",
          include: ["tests/system/**/*.test.ts", "tests/security/**/*.test.ts"],
          exclude: waiting,
          expect: patientPolls,
          ...story,
          // The stories start whole labs, each with networks, ports and folders of its own, and wait more than they compute: two at
          // once on a machine of two cores.
          maxWorkers: 2,
        },
      },
      {
        test: { name: "waiting", include: waiting, expect: patientPolls, ...story, maxWorkers: 1 },
      },
    ],
  },
});
