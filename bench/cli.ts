/**
 * What starting the program costs: processor time, wall time and memory of commands that a person or a script calls,
 * beside virsh and an empty program of Node. All commands run in turn, round after round, so that what slows the
 * machine down slows each of them down. Ends with 1 when a command of this checkout is over its limit.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "@godwit/system";
import { LibvirtSession } from "./cli/libvirt-session.ts";
import { startServer } from "./cli/server.ts";
import { measure } from "./measure/interruption.ts";
import { numberOf, readOptions } from "../scripts/options.ts";
import { summaryOf, table, type Summary } from "./measure/statistics.ts";

const usage = `usage: node bench/cli.ts [--rounds 11] [--before FOLDER] [--json FILE]

  --rounds N       how often each command runs; the figures are medians
  --before FOLDER  another checkout of Godwit to measure beside this one
  --json FILE      the figures, for other programs`;

const values = readOptions(usage, {
  rounds: { type: "string", default: "11" },
  before: { type: "string" },
  json: { type: "string" },
});
const rounds = numberOf(usage, "--rounds", values.rounds);

interface Command {
  readonly name: string;
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly exitCode: number;
  /** The most processor time that it may take, in seconds; null: it is only compared with. */
  readonly limitSeconds: number | null;
}

interface Sample {
  /** User and system, of the command and the processes that it waited for. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Of the largest of its processes. */
  readonly mostMemoryMib: number;
}

const checkout = fileURLToPath(new URL("..", import.meta.url));

async function compare(folder: string): Promise<void> {
  console.error("starting a server and a libvirt daemon");
  await using server = await startServer(folder);
  await using session = await LibvirtSession.start(folder);
  const commands = [
    { name: "node -e 0", words: ["node", "-e", "0"], exitCode: 0, limitSeconds: null },
    ...(session?.commands ?? []).map((one) => ({ ...one, exitCode: 0, limitSeconds: null })),
    ...(values.before === undefined ? [] : commandsOf(values.before, "before: ", server.environment, false)),
    ...commandsOf(checkout, "", server.environment, true),
  ];
  // The first round fills the caches and is not counted.
  for (const command of commands) await sampleOf(command, folder);
  const samples = new Map<Command, Sample[]>(commands.map((command) => [command, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [command, taken] of samples) taken.push(await sampleOf(command, folder));
    console.error(`${String(round + 1)} of ${String(rounds)} rounds`);
  }
  const results = [...samples].map(([command, taken]) => resultOf(command, taken));
  console.log(table([heading, ...results.map(rowOf)]));
  if (session === null) console.log("virsh is not installed: apt-get install libvirt-clients libvirt-daemon");
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ rounds, results }, null, 2)}\n`);
  const slow = results.filter(({ isOverLimit }) => isOverLimit);
  if (slow.length > 0) throw new Error(`over the limit: ${slow.map(({ name }) => name).join(", ")}`);
}

function commandsOf(
  root: string,
  prefix: string,
  environment: Record<string, string>,
  isLimited: boolean,
): Command[] {
  const godwit = (words: string, limitSeconds: number, exitCode = 0): Command => ({
    name: `${prefix}godwit ${words}`,
    words: [join(root, "godwit"), ...words.split(" ")],
    environment,
    exitCode,
    limitSeconds: isLimited ? limitSeconds : null,
  });
  return [
    godwit("--version", 0.15),
    godwit("--help", 0.15),
    godwit("vm migrate --help", 0.15),
    godwit("completion propose -- vm mi", 0.15),
    godwit("nonsense", 0.15, 2),
    godwit("vm migrate web-1", 0.15, 2),
    godwit("vm list", 0.35),
  ];
}

/** Runs a command to its end. bash tells processor time to the millisecond, GNU time the most memory. */
async function sampleOf(command: Command, folder: string): Promise<Sample> {
  const memoryFile = join(folder, "memory");
  const script = 'TIMEFORMAT="%3U %3S %3R"; time "$@" >/dev/null 2>&1';
  const time = ["/usr/bin/time", "--quiet", "--format=%M", `--output=${memoryFile}`];
  const { stderr, exitCode } = await run("bash", ["-c", script, "bash", ...time, ...command.words], {
    what: `measuring ${command.name}`,
    okCodes: [command.exitCode],
    ...(command.environment === undefined ? {} : { env: command.environment }),
  });
  const [user, system, wallSeconds] = stderr.trim().split(" ").map(Number);
  const kib = Number(await readFile(memoryFile, "utf8"));
  if (user === undefined || system === undefined || wallSeconds === undefined || Number.isNaN(kib))
    throw new Error(`${command.name} ended with ${String(exitCode)} and was not measured: ${stderr}`);
  return { cpuSeconds: user + system, wallSeconds, mostMemoryMib: kib / 1024 };
}

interface Result {
  readonly name: string;
  readonly limitSeconds: number | null;
  readonly isOverLimit: boolean;
  readonly cpuSeconds: Summary | null;
  readonly wallSeconds: Summary | null;
  readonly mostMemoryMib: Summary | null;
}

function resultOf({ name, limitSeconds }: Command, samples: readonly Sample[]): Result {
  const cpuSeconds = summaryOf(samples.map((sample) => sample.cpuSeconds));
  return {
    name,
    limitSeconds,
    isOverLimit: limitSeconds !== null && (cpuSeconds?.median ?? 0) > limitSeconds,
    cpuSeconds,
    wallSeconds: summaryOf(samples.map((sample) => sample.wallSeconds)),
    mostMemoryMib: summaryOf(samples.map((sample) => sample.mostMemoryMib)),
  };
}

const heading = ["command", "processor s (best, worst)", "limit", "wall s (best, worst)", "memory MiB"];

function rowOf({
  name,
  cpuSeconds,
  limitSeconds,
  wallSeconds,
  mostMemoryMib,
  isOverLimit,
}: Result): string[] {
  const seconds = (summary: Summary | null): string =>
    summary === null
      ? ""
      : `${summary.median.toFixed(3)} (${summary.best.toFixed(3)}, ${summary.worst.toFixed(3)})`;
  return [
    name,
    seconds(cpuSeconds),
    limitSeconds === null ? "" : `${limitSeconds.toFixed(2)}${isOverLimit ? " OVER" : ""}`,
    seconds(wallSeconds),
    mostMemoryMib?.median.toFixed(0) ?? "",
  ];
}

await measure(async (interrupted) => {
  const folder = await mkdtemp(join(tmpdir(), "godwit-bench-cli-"));
  try {
    await Promise.race([compare(folder), interrupted]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
