/** The program starts at once: what it loads before it knows that it needs it, and where it keeps compiled code. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const program = fileURLToPath(new URL("../src/godwit.js", import.meta.url));
const root = fileURLToPath(new URL("../../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "godwit-start-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Prints the name of each file that Node loads. */
const tracer = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  import { writeSync } from "node:fs";
  registerHooks({ load(url, context, next) { writeSync(2, "loaded " + url + "\\n"); return next(url, context); } });
`)}`;

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
  /** Paths below the checkout, without `node_modules` and `src`. */
  loaded: string[];
}

function godwit(words: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", tracer, program, ...words], {
    encoding: "utf8",
    env: { PATH: process.env.PATH ?? "" },
  });
  const lines = stderr.split("\n").filter((line) => line.startsWith("loaded file:"));
  return { status, stdout, stderr, loaded: lines.map((line) => line.slice(`loaded file://${root}`.length)) };
}

const light =
  /^(apps\/cli\/src\/|node_modules\/@stricli\/|packages\/contract\/src\/(errors\/|cpu-topology\.ts|memory-growth\.ts|memory-slots\.ts|move-outcome\.ts|vm-state\.ts)|packages\/system\/src\/|apps\/server\/src\/data-paths\.ts|lab\/src\/names\.ts)/;
const isLight = (path: string): boolean => light.test(path) && !path.endsWith("errors/schemas.ts");

describe("nothing is loaded but the command line itself", () => {
  test.each([
    { words: ["--version"], status: 0 },
    { words: ["--help"], status: 0 },
    { words: [], status: 0 },
    { words: ["vm", "--help"], status: 0 },
    ...[
      "vm migrate",
      "cpu report",
      "cpu mask qemu",
      "lab up",
      "quickstart",
      "server run",
      "agent run",
      "host join",
    ].map((command) => ({ words: [...command.split(" "), "--help"], status: 0 })),
    { words: ["completion", "bash"], status: 0 },
    { words: ["completion", "propose", "--", "vm", "mi"], status: 0 },
    { words: ["nonsense"], status: 2 },
    { words: ["vm", "nonsense"], status: 2 },
    { words: ["vm", "migrate"], status: 2 },
    { words: ["server", "run", "--listen", "everywhere"], status: 2 },
  ])("godwit $words", ({ words, status }) => {
    const ended = godwit(words);
    expect(ended.status).toBe(status);
    expect(ended.loaded).toContain("apps/cli/src/main.ts");
    expect(ended.loaded.filter((path) => !isLight(path))).toEqual([]);
  });
});

test("a command's word loads the commands of that word only", () => {
  const of = (words: string[]) =>
    godwit(words).loaded.filter((path) => path.startsWith("apps/cli/src/commands/"));
  expect(of(["--version"])).toEqual([]);
  expect(of(["--help"]).every((path) => /commands\/(quickstart|setup|completion|common)/.test(path))).toBe(
    true,
  );
  expect(of(["task", "--help"]).every((path) => /commands\/(task|common)/.test(path))).toBe(true);
});

describe("the compile cache", () => {
  /** As a user that has no home, with a cache folder of its own. */
  const asNobody = (cache: string) => {
    const user = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    return spawnSync("setpriv", [...user, process.execPath, program, "--version"], {
      encoding: "utf8",
      env: { PATH: process.env.PATH ?? "", XDG_CACHE_HOME: cache },
    });
  };
  const openFolder = (name: string, mode: number): string => {
    const path = join(folder, name);
    mkdirSync(path);
    chmodSync(folder, 0o755);
    chmodSync(path, mode);
    return path;
  };

  test("is kept in the user's own folder, closed to others", () => {
    const cache = openFolder("sticky", 0o1777);
    expect(asNobody(cache)).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(join(cache, "godwit/compile-cache"))).toBe(true);
  });

  test("is not used where others can write, and the program works without it", () => {
    const cache = openFolder("open", 0o777);
    expect(asNobody(cache)).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(join(cache, "godwit/compile-cache"))).toBe(false);
  });

  test("is not used where the folder is another user's", () => {
    const cache = openFolder("foreign", 0o755);
    mkdirSync(join(cache, "godwit"));
    expect(asNobody(cache)).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(join(cache, "godwit/compile-cache"))).toBe(false);
  });
});
