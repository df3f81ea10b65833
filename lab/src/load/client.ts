/**
 * The load's own process, run in the client's namespace (`client.ts ADDRESS probed|unprobed`): one TCP
 * connection to redis that is never closed, one acknowledged write after another, and a 1 ms ICMP probe beside
 * it. A line on standard input (`{"windows": […]}`) ends it: it reads everything back, compares, and prints its
 * report. Another (`{"reconnect": true}`) has it make a new connection at once: it cannot know that its VM was
 * started again.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { loadOrderSchema, type LoadReport, type Window } from "./protocol.ts";
import { RedisConnection } from "./redis-connection.ts";

const address = process.argv[2] ?? "";
const port = 6379;
const counter = "godwit:counter";
const log = "godwit:log";

/** Times in ms since 1970, growing. */
const acknowledgedAt: number[] = [];
const answeredAt: number[] = [];
const acknowledged: number[] = [];
let connections = 0;
let stopping = false;

const now = (): number => performance.timeOrigin + performance.now();

function probe(): () => Promise<void> {
  const child = spawn("ping", ["-n", "-D", "-i", "0.001", address], { stdio: ["ignore", "pipe", "ignore"] });
  createInterface({ input: child.stdout }).on("line", (line) => {
    const at = /^\[(\d+\.\d+)\] \d+ bytes from/.exec(line)?.[1];
    if (at !== undefined) answeredAt.push(Number(at) * 1000);
  });
  return async () => {
    const closed = once(child, "close");
    child.kill("SIGINT");
    await closed;
  };
}

let connection = null as RedisConnection | null;

async function connect(): Promise<RedisConnection> {
  for (;;) {
    try {
      connection = await RedisConnection.open(address, port);
      connections += 1;
      return connection;
    } catch {
      await sleep(20); // the guest boots: nobody tells when it listens
    }
  }
}

/** Each number is counted by one command and logged by the next; both must be acknowledged before the next number. */
async function write(): Promise<void> {
  let cleared = false;
  for (;;) {
    const current = await connect();
    try {
      // What earlier loads wrote, they read back themselves.
      if (!cleared) await current.command("DEL", log);
      cleared = true;
      while (!stopping) {
        const number = await current.command("INCR", counter);
        acknowledgedAt.push(now());
        if (acknowledgedAt.length === 1) process.stdout.write("writing\n");
        await current.command("RPUSH", log, String(number));
        acknowledgedAt.push(now());
        acknowledged.push(Number(number));
      }
      const found = ((await current.command("LRANGE", log, "0", "-1")) as string[]).map(Number);
      report = compare(found, Number(await current.command("GET", counter)));
      current.close();
      return;
    } catch {
      // A database that still reads its log takes no writes: the load begins with the first that it takes.
      if (acknowledgedAt.length === 0) connections = 0;
    }
  }
}

/** What was acknowledged against what is there. */
function compare(found: number[], count: number): Pick<LoadReport, "acknowledged" | "lost" | "duplicated"> {
  const times = new Map<number, number>();
  for (const number of found) times.set(number, (times.get(number) ?? 0) + 1);
  const lost = acknowledged.filter((number) => !times.has(number)).length;
  const twice = [...times.values()].reduce((sum, one) => sum + one - 1, 0);
  // The counter itself: one more than the last acknowledged number would be a write that happened twice.
  const expected = acknowledged.at(-1) ?? 0;
  const tornConnections = connections - 1;
  return {
    acknowledged: acknowledged.length * 2,
    lost: lost + Math.max(0, expected - count),
    duplicated: twice + Math.max(0, count - expected - tornConnections),
  };
}

let report: Pick<LoadReport, "acknowledged" | "lost" | "duplicated"> = {
  acknowledged: 0,
  lost: 0,
  duplicated: 0,
};

/** The longest stretch of the window without an entry in `times`. */
function longestGap(times: readonly number[], [from, to]: Window): number {
  const inside = times.filter((at) => at >= from && at <= to);
  let longest = 0;
  for (const [index, at] of inside.entries()) longest = Math.max(longest, at - (inside[index - 1] ?? at));
  // A window that ends in silence has a gap too.
  const last = inside.at(-1) ?? from;
  const next = times.find((at) => at > last) ?? to;
  return Math.max(longest, Math.min(next, to) - last);
}

const endProbe = process.argv[3] === "probed" ? probe() : async () => undefined;
const writing = write();
let windows: Window[] = [];
for await (const line of createInterface({ input: process.stdin })) {
  const order = loadOrderSchema.parse(JSON.parse(line));
  if ("windows" in order) {
    windows = order.windows;
    break;
  }
  connection?.abort();
}
stopping = true;
await writing;
await endProbe();
const whole: Window = [acknowledgedAt[0] ?? 0, acknowledgedAt.at(-1) ?? 0];
const full: LoadReport = {
  ...report,
  connections,
  reconnects: connections - 1,
  longestGapMs: longestGap(acknowledgedAt, whole),
  probes: answeredAt.length,
  windows: windows.map((window) => ({
    outageMs: longestGap(answeredAt, window),
    writeGapMs: longestGap(acknowledgedAt, window),
  })),
};
process.stdout.write(`${JSON.stringify(full)}\n`);
process.exit(0);
