/**
 * Many moves in a row among three hosts under a client's load, some of them cancelled at a random moment:
 * nothing may be lost, and nothing may grow; what tells of ended moves may, up to what is kept. The guest's clock
 * must be right at the end.
 */
import { writeFile } from "node:fs/promises";
import { GodwitError, isEnded, type Task, type VmView } from "@godwit/contract";
import { guestClockOffsetMs, vmAddress, type LoadReport } from "@godwit/lab";
import { TestLab } from "@godwit/test-kit";
import { census, type Census } from "./measure/census.ts";
import { measure } from "./measure/interruption.ts";
import { summaryOf, table } from "./measure/statistics.ts";
import { sleep } from "@godwit/system";
import { numberOf, readOptions } from "../scripts/options.ts";

const usage = `usage: node bench/endurance.ts [--moves 300] [--cancel 0.15] [--max-outage MS] [--every 25] [--seed N] [--json FILE]

  --moves N        how many moves
  --cancel SHARE   the share of moves that are cancelled, 0 to 1
  --max-outage MS  the longest pause that each move may have (default 250)
  --every N        after how many moves it is counted what the programs use
  --seed N         of the moments at which moves are cancelled
  --json FILE      the figures, for other programs`;

const values = readOptions(usage, {
  moves: { type: "string", default: "300" },
  cancel: { type: "string", default: "0.15" },
  "max-outage": { type: "string", default: "250" },
  every: { type: "string", default: "25" },
  seed: { type: "string", default: "1" },
  json: { type: "string" },
});
const moves = numberOf(usage, "--moves", values.moves);
const every = numberOf(usage, "--every", values.every);
const cancelShare = numberOf(usage, "--cancel", values.cancel, 0);
const random = generator(numberOf(usage, "--seed", values.seed, 0));

const mostClockOffsetMs = 100;

interface Ended {
  state: Task["state"];
  code: string | null;
  totalMs: number;
}

async function endure(lab: TestLab): Promise<void> {
  const vm = await lab.boot({ on: "a" });
  await using load = await lab.load();
  const address = vmAddress(0);
  const clockBefore = await guestClockOffsetMs(lab.lab.id, address);
  const counted: Census[] = [await census(lab.lab, 0)];
  const ended: Ended[] = [];
  for (let index = 1; index <= moves; index++) {
    ended.push(await move(lab, vm));
    if (index % every !== 0 && index !== moves) continue;
    const left = await lab.settled(1, 60_000);
    if (left.length > 0)
      throw new Error(`after ${String(index)} moves there is left over: ${left.join(", ")}`);
    counted.push(await census(lab.lab, index));
    console.log(`${String(index)} of ${String(moves)} moves: ${outcomes(ended)}`);
  }
  const clockAfter = await guestClockOffsetMs(lab.lab.id, address);
  const client = await load.finish([]);
  tell(ended, counted, client);
  console.log(
    `the guest's clock was ${clockBefore.toFixed(0)} ms ahead of the host's before, ${clockAfter.toFixed(0)} ms after`,
  );
  if (values.json !== undefined) {
    const result = { ended, counted, client, clockBefore, clockAfter };
    await writeFile(values.json, `${JSON.stringify(result, null, 2)}\n`);
  }
  if (Math.abs(clockAfter) > mostClockOffsetMs) throw new Error("the guest's clock is off");
  const { lost, duplicated, reconnects } = client;
  if (lost + duplicated + reconnects > 0) throw new Error("the client was harmed");
}

/** Moves the VM to one of the other hosts, or begins to and thinks better of it. */
async function move(lab: TestLab, vm: VmView): Promise<Ended> {
  const { host } = await lab.vm(vm.name);
  const others = lab.lab.hosts.map(({ name }) => name).filter((name) => name !== host);
  const to = others[Math.floor(random() * others.length)] ?? "b";
  const startedAt = performance.now();
  const body = { to, maxOutageMs: Number(values["max-outage"]) };
  const task = await lab.api
    .call("vmMigrate", { params: { vm: vm.name }, body })
    .catch((error: unknown) => refusalOf(error));
  if (typeof task === "string")
    return { state: "failed", code: task, totalMs: performance.now() - startedAt };
  if (random() < cancelShare) {
    await sleep(random() * 3000);
    await lab.api.call("taskCancel", { params: { task: task.id } }).catch(() => undefined); // it may be too late
  }
  const end = await lab.until(task.id, isEnded);
  const there = end.state === "succeeded" ? to : host;
  const runners = await lab.runnersOf(vm);
  if (runners.join() !== there)
    throw new Error(
      `a move that ${end.state}: the VM runs on ${runners.join(" and ") || "no host"}, not on ${there}`,
    );
  return { state: end.state, code: end.error?.code ?? null, totalMs: performance.now() - startedAt };
}

/** A host that is too busy to answer in time is no destination at the moment. @returns its code */
function refusalOf(error: unknown): string {
  if (!GodwitError.is(error)) throw error;
  return error.code;
}

function outcomes(ended: readonly Ended[]): string {
  const counts = new Map<string, number>();
  for (const { state, code } of ended) {
    const words = code === null ? state : `${state} ${code}`;
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  return [...counts].map(([words, count]) => `${String(count)} ${words}`).join(", ");
}

function tell(ended: readonly Ended[], counted: readonly Census[], client: LoadReport): void {
  const names = Object.keys(counted[0]?.programs ?? {});
  const rows = counted.map((one) => [
    String(one.afterMoves),
    ...names.flatMap((name) => {
      const program = one.programs[name];
      return [String(program?.rssMib ?? ""), String(program?.descriptors ?? "")];
    }),
    ...[one.qemus, one.taps, one.leaseHolders, one.files, one.rows, one.unendedTasks].map(String),
  ]);
  const heads = names.flatMap((name) => [`${name} MiB`, "fds"]);
  console.log(table([["moves", ...heads, "qemus", "taps", "holders", "files", "rows", "unended"], ...rows]));
  const total = summaryOf(ended.filter(({ state }) => state === "succeeded").map(({ totalMs }) => totalMs));
  console.log(
    `a move took ${(total?.median ?? 0).toFixed(0)} ms (median), ${(total?.worst ?? 0).toFixed(0)} ms at most`,
  );
  const { acknowledged, lost, duplicated, reconnects } = client;
  console.log(
    `client: ${String(acknowledged)} acknowledged, ${String(lost)} lost, ${String(duplicated)} duplicated, ${String(reconnects)} reconnects`,
  );
}

/** The same numbers for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

await measure(async (interrupted) => {
  await using lab = await TestLab.start({ hosts: ["a", "b", "c"] });
  await Promise.race([endure(lab), interrupted]);
});
