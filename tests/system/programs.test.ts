/** The programs for developers: what they do not understand they tell with their usage, and end with 2. */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const programs = globSync(
  [
    "bench/*.ts",
    "{faults,rack,packaging}/{,*/}main.ts",
    "packages/*/explore/{,*/}main.ts",
    "scripts/cpu-models.ts",
  ],
  { cwd: root },
);

test.each(programs.sort())("%s with an unknown option", (program) => {
  const options = { cwd: root, encoding: "utf8" } as const;
  const { status, stderr } = spawnSync(process.execPath, [program, "--nonsense"], options);
  expect(stderr).toMatch(/^Unknown option '--nonsense'.*\n\nusage:\s/);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(status).toBe(2);
});

test("what follows the server's name in the rack's run is the program's", () => {
  const words = ["rack/main.ts", "--id", "none", "run", "a", "systemctl", "--failed"];
  const { status, stderr } = spawnSync(process.execPath, words, { cwd: root, encoding: "utf8" });
  expect(stderr).toContain("There is no rack none.");
  expect(status).toBe(2);
});
