/** Commands that this host runs for operators: real ones, run by a real shell. */
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keptOutputBytes } from "@godwit/contract";
import { until } from "@godwit/system";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootId, HostCommands, type HostCommandsParts } from "../src/commands/host-commands.ts";

let stateFolder: string;
beforeAll(async () => {
  stateFolder = await mkdtemp(join(tmpdir(), "godwit-commands-"));
});
afterAll(async () => {
  // What runs a command writes how it ended, after what a test waits for.
  await rm(stateFolder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

const log = pino({ level: "silent" });
const commandsOf = ({
  allowed = true,
  vms = [] as string[],
  granted = [] as string[],
  rebootCommand = "true",
  powerOffCommand = "true",
} = {}) =>
  new HostCommands({
    config: { name: "a", stateFolder, updates: { commands: allowed, rebootCommand, powerOffCommand } },
    processes: {
      present: vms.map((name) => ({ spec: { vm: { name } } })),
    } as unknown as HostCommandsParts["processes"],
    setAside: { all: [] },
    memory: { granted },
    log,
  });
const ended = async (commands: HostCommands, id: string) =>
  await until(async () => ((await commands.show(id)).state === "running" ? null : await commands.show(id)), {
    everyMs: 50,
    limitMs: 60_000,
  });
const run = async (command: string, timeoutSeconds = 60) => {
  const id = randomUUID();
  const commands = commandsOf();
  await commands.start(id, { command, timeoutSeconds });
  return await ended(commands, id);
};

test("its exit code and what it wrote are told, and it is run once however often it is asked for", async () => {
  const id = randomUUID();
  const marks = join(stateFolder, "marks");
  const command = `echo ran >> ${marks}; echo out; echo err >&2; exit 3`;
  const commands = commandsOf();
  const order = { command, timeoutSeconds: 60 };
  await Promise.all([commands.start(id, order), commands.start(id, order)]);
  expect(await ended(commands, id)).toEqual({ state: "ended", exitCode: 3, output: "out\nerr\n" });
  // An agent that was started since knows it too.
  expect(await commandsOf().start(id, order)).toMatchObject({ state: "ended", exitCode: 3 });
  expect(await readFile(marks, "utf8")).toBe("ran\n");
});

test("of a flood of output the end is kept, and no more lies on the disk", async () => {
  const view = await run("yes 0123456789 | head -c 3000000; echo the end");
  expect(view?.exitCode).toBe(0);
  expect(view?.output.length).toBeLessThanOrEqual(keptOutputBytes);
  expect(view?.output.endsWith("the end\n")).toBe(true);
  const { stdout: sizes } = await import("@godwit/system").then(({ run: call }) =>
    call("du", ["-sb", join(stateFolder, "commands")], { what: "measuring" }),
  );
  expect(Number(sizes.split("\t")[0])).toBeLessThan(1_000_000);
});

test("one that takes too long is ended, and one that leaves a program behind is not waited for", async () => {
  expect(await run("echo started; sleep 60", 4)).toMatchObject({ exitCode: 124, output: "started\n" });
  expect(await run("setsid sleep 20 & echo left")).toMatchObject({ state: "ended", exitCode: 0 });
});

test("one whose shell was ended has left no exit code", async () => {
  // Many times: it may end between any two things that are looked at.
  for (let round = 0; round < 100; round++) {
    const id = randomUUID();
    const commands = commandsOf();
    await commands.start(id, { command: "exec sleep 100", timeoutSeconds: 120 });
    expect(await commands.show(id)).toMatchObject({ state: "running" });
    const pid = Number(await readFile(join(stateFolder, "commands", id, "pid"), "utf8"));
    process.kill(-pid, "SIGKILL");
    expect(await ended(commands, id)).toMatchObject({ state: "interrupted", exitCode: null });
  }
});

test("it is refused where the administrator has not allowed it, and while VMs run there", async () => {
  const order = { command: "true", timeoutSeconds: 1 };
  await expect(commandsOf({ allowed: false }).start(randomUUID(), order)).rejects.toMatchObject({
    code: "HOST_COMMANDS_OFF",
  });
  await expect(commandsOf({ vms: ["web-1"] }).start(randomUUID(), order)).rejects.toMatchObject({
    code: "HOST_COMMAND_VMS_RUN",
    message: expect.stringContaining("web-1") as string,
  });
  await expect(commandsOf({ vms: ["web-1"] }).reboot(await bootId())).rejects.toMatchObject({
    code: "HOST_COMMAND_VMS_RUN",
  });
  await expect(commandsOf().show(randomUUID())).rejects.toMatchObject({ code: "HOST_COMMAND_UNKNOWN" });
});

test("a host is booted once for each boot that is to end", async () => {
  const mark = join(stateFolder, "booted");
  const commands = commandsOf({ rebootCommand: `touch ${mark}` });
  expect(await commands.reboot("an-earlier-boot")).toEqual({ bootId: await bootId() });
  await expect(stat(mark)).rejects.toThrow();
  await commands.reboot(await bootId());
  expect(await until(() => stat(mark).catch(() => null), { everyMs: 50, limitMs: 60_000 })).not.toBeNull();
});

test("a host is shut down once for each boot that is to end, and takes no VM from then on", async () => {
  const mark = join(stateFolder, "down");
  const commands = commandsOf({ powerOffCommand: `touch ${mark}` });
  expect(await commands.powerOff("an-earlier-boot")).toEqual({ bootId: await bootId() });
  await expect(stat(mark)).rejects.toThrow();
  await expect(commandsOf({ vms: ["web-1"] }).powerOff(await bootId())).rejects.toMatchObject({
    code: "HOST_COMMAND_VMS_RUN",
  });
  await commands.powerOff(await bootId());
  expect(await until(() => stat(mark).catch(() => null), { everyMs: 50, limitMs: 60_000 })).not.toBeNull();
  await expect(commands.mustTakeVms("web-1")).rejects.toMatchObject({ code: "HOST_COMMAND_RUNS" });
});

test("while one runs no VM starts here, and none is run while a VM is about to start", async () => {
  const id = randomUUID();
  const commands = commandsOf();
  const starting = commands.start(id, { command: "sleep 60", timeoutSeconds: 120 });
  const refused = { code: "HOST_COMMAND_RUNS", message: expect.stringContaining("VM web-1") as string };
  await expect(commands.mustTakeVms("web-1")).rejects.toMatchObject(refused);
  await starting;
  await expect(commands.mustTakeVms("web-1")).rejects.toMatchObject(refused);
  // An agent that was started since knows it too.
  await expect(commandsOf().mustTakeVms("web-1")).rejects.toMatchObject(refused);
  const pid = Number(await readFile(join(stateFolder, "commands", id, "pid"), "utf8"));
  process.kill(-pid, "SIGKILL");
  await ended(commands, id);
  await commands.mustTakeVms("web-1");
  await expect(
    commandsOf({ granted: ["web-1"] }).start(randomUUID(), { command: "true", timeoutSeconds: 60 }),
  ).rejects.toMatchObject({
    code: "HOST_COMMAND_VMS_RUN",
    message: expect.stringContaining("web-1") as string,
  });
});
