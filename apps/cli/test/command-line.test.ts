/** The program as people and scripts call it: exit codes, sentences, and never a stack trace. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const main = fileURLToPath(new URL("../src/godwit.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "godwit-cli-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function godwit(args: string[], env: Record<string, string> = {}, prefix: string[] = []) {
  const [program = "", ...rest] = [...prefix, process.execPath, main, ...args];
  const { status, stdout, stderr } = spawnSync(program, rest, {
    encoding: "utf8",
    env: { PATH: process.env.PATH ?? "", ...env },
  });
  expect(stdout + stderr).not.toMatch(/^\s+at /m);
  return { status, stdout, stderr };
}

test("wrong usage ends with 2 and says what is right", () => {
  expect(godwit(["vm", "fly"])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("fly") as string,
  });
  expect(godwit(["vm", "check", "web-1"])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--to") as string,
  });
  const slow = godwit(["vm", "migrate", "web-1", "--to", "b", "--max-outage", "soon"]);
  expect(slow).toMatchObject({ status: 2, stderr: expect.stringContaining("50ms") as string });
  const file = join(folder, "web.yaml");
  writeFileSync(file, "name: web-1\ndatastore: shared\nmemoryMib: 64\ncolour: blue\n");
  const bad = godwit(["vm", "create", file]);
  expect(bad).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("line 4: unknown field colour") as string,
  });
  expect(godwit(["vm", "create", join(folder, "none.yaml")]).stderr).toContain("FILE_UNREADABLE");
});

test.each([
  { words: ["nonsense"], told: 'There is no command "nonsense".' },
  { words: ["vmm"], told: "Did you mean `vm`?" },
  { words: ["vm", "nonsense"], told: 'There is no command "nonsense".' },
  { words: ["vm", "migrate"], told: "The argument <vm> is missing." },
  { words: ["vm", "check", "web-1"], told: "--to is missing" },
  { words: ["vm", "list", "web-1"], told: 'The argument "web-1" is one too many.' },
  { words: ["vm", "list", "--jsno"], told: "There is no flag --jsno. Did you mean --json?" },
  { words: ["vm", "list", "-json"], told: "There is no flag -j. Did you mean --json?" },
  { words: ["vm", "list", "--hosts", "a"], told: "There is no flag --hosts.\n" },
  { words: ["vm", "create", "web.yaml", "--hosts", "b"], told: "no flag --hosts. Did you mean --host?" },
  { words: ["vm", "create", "web-1"], told: "There is no file web-1, and no flag describes a VM" },
  { words: ["vm", "create", "web-1", "--memory", "4"], told: "write 512MiB or 20GiB" },
  { words: ["vm", "create", "web-1", "--disk", "8M", "--start", "--detach"], told: "Leave out one of them." },
  { words: ["vm", "migrate", "web-1", "--hosts", "b"], told: "There is no flag --hosts. Did you mean --to?" },
  { words: ["vm", "migrate", "web-1", "--max-outge", "9"], told: "Did you mean --max-outage?" },
  { words: ["task", "list", "--state", "runing"], told: 'not "runing". Did you mean running?' },
  { words: ["vm", "migrate", "web-1", "--host", "b"], told: "There is no flag --host. Did you mean --to?" },
  { words: ["vm", "migrate", "web-1", "b"], told: 'The argument "b" is one too many. Did you mean --to b?' },
])("godwit $words is wrong usage: $told", ({ words, told }) => {
  expect(godwit(words)).toMatchObject({ status: 2, stderr: expect.stringContaining(told) as string });
});

test("a server that does not answer, and one that was never made, are told as such", () => {
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, "");
  const away = godwit(["vm", "list"], {
    GODWIT_SERVER: "https://127.0.0.1:1",
    GODWIT_CA: ca,
    GODWIT_TOKEN: "x",
  });
  expect(away).toMatchObject({ status: 1, stderr: expect.stringContaining("CONNECTION_FAILED") as string });
  const half = godwit(["vm", "list"], { GODWIT_SERVER: "https://127.0.0.1:1" });
  expect(half).toMatchObject({ status: 2, stderr: expect.stringContaining("GODWIT_CA") as string });
  const none = godwit(["server", "run", "--data", join(folder, "none")]);
  expect(none).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("SERVER_NOT_INITIALISED") as string,
  });
  const where = godwit(["server", "run", "--data", folder, "--listen", "everywhere"]);
  expect(where).toMatchObject({ status: 2, stderr: expect.stringContaining("0.0.0.0:8443") as string });
});

test("with --json a command that fails writes the problem as a document, and its sentence beside it", () => {
  const ca = join(folder, "ca-json.pem");
  writeFileSync(ca, "");
  const env = { GODWIT_SERVER: "https://127.0.0.1:1", GODWIT_CA: ca, GODWIT_TOKEN: "x" };
  const { status, stdout, stderr } = godwit(["vm", "list", "--json"], env);
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    error: { code: "CONNECTION_FAILED", remedy: expect.any(String) as string, retry: "later" },
  });
  expect(stderr).toContain("CONNECTION_FAILED");
  expect(godwit(["vm", "list"], env).stdout).toBe("");
});

test("a document that is longer than a pipe holds reaches a slow reader whole", () => {
  const words = [process.execPath, main, "cpu", "features", "--json"];
  const whole = spawnSync(process.execPath, words.slice(1), { encoding: "utf8" }).stdout;
  expect(whole.length).toBeGreaterThan(65_536);
  const slow = spawnSync("sh", ["-c", '"$@" | (sleep 0.3; cat)', "sh", ...words], { encoding: "utf8" });
  expect(slow.stdout).toBe(whole);
});

test("a server is made once, and never made over", () => {
  const data = join(folder, "server");
  expect(godwit(["server", "init", "--data", data])).toMatchObject({ status: 0 });
  expect(godwit(["server", "init", "--data", data])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("SERVER_ALREADY_INITIALISED") as string,
  });
});

test("what needs root says so, and a token that is none is refused before anything is made", () => {
  const nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
  expect(godwit(["quickstart"], {}, nobody)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("NOT_ROOT") as string,
  });
  const config = join(folder, "agent.yaml");
  writeFileSync(
    config,
    `name: a\nlisten: { address: 127.0.0.1 }\nserver: { url: "https://127.0.0.1:1" }\nstateFolder: ${folder}/state\n`,
  );
  expect(godwit(["host", "join", "--config", config, "--token", "nonsense"])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("TOKEN_INVALID") as string,
  });
  writeFileSync(config, "name: a\nlisten: { address: nowhere }\n");
  const wrong = godwit(["agent", "run", "--config", config]);
  expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining("listen.address") as string });
});

test("the CPU report works for a user who has no home to keep anything in", () => {
  const nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
  const report = godwit(["cpu", "report", "--json"], { HOME: "/root" }, nobody);
  expect(report).toMatchObject({ status: 0, stderr: "" });
  expect(JSON.parse(report.stdout)).toMatchObject({ format: expect.any(String) as string });
});

test("help has examples, and completion proposes what may follow", () => {
  expect(godwit(["vm", "migrate", "--help"]).stdout).toContain("godwit vm migrate web-1 --to b");
  expect(godwit(["completion", "bash"]).stdout).toContain("complete");
  expect(godwit(["completion", "propose", "--", "vm", "mig"]).stdout.trim()).toBe("migrate");
});
