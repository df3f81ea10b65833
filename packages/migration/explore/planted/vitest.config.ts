/** The reducers' own tests, with a mistake in one file. */
import { defineConfig } from "vitest/config";

const { path, text } = JSON.parse(process.env.GODWIT_PLANTED ?? "{}") as { path?: string; text?: string };

export default defineConfig({
  plugins: [{ name: "planted", enforce: "pre", load: (id) => (id === path ? (text ?? null) : null) }],
  test: {
    include: ["packages/migration/test/**/*.test.ts"],
    exclude: ["packages/migration/test/explore.test.ts"],
    bail: 1,
    maxWorkers: 1,
    testTimeout: 600_000,
  },
});
