import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["packages/*/test/**/*.test.ts", "apps/*/test/**/*.test.ts", "lab/test/**/*.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "system",
          include: ["tests/system/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // The stories start whole labs on a machine of two cores: one after the other.
          fileParallelism: false,
          maxConcurrency: 1,
        },
      },
    ],
  },
});
