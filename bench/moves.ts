/**
 * Moves back to back under a client's load, in a lab: what the client saw, how long the vCPUs stood still,
 * how long a move took in all. A figure is of this machine and this hour; compare only within one run.
 */
import { writeFile } from "node:fs/promises";
import { moveOf, type MovePause, type MoveRecord, type VmView } from "@godwit/contract";
import { qemusOf, vmAddress, type LoadReport, type Window } from "@godwit/lab";
import { until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { nonZeroBytes } from "./measure/guest-memory.ts";
import { measure } from "./measure/interruption.ts";
import { guestAnswers } from "./measure/move-under-load.ts";
import { summaryOf, table } from "./measure/statistics.ts";
import { numberOf, readOptions, wrongUsage } from "../scripts/options.ts";

const usage = `usage: node bench/moves.ts [--moves 20] [--memory 512] [--link 1gbit] [--ip 4|6|both] [--idle] [--max-outage MS]
         [--qemu HOST=VERSION or HOST=PATH]… [--json FILE]

  --moves N        how many moves
  --memory MIB     of the guest
  --link RATE      speed of the migration links, like 1gbit
  --ip FAMILY      of the migration network; both: in turn, two moves each, and as many moves of each
  --idle           the guest does nothing; what was sent is compared with what its memory holds
  --max-outage MS  the longest pause that each move may have; on a busy machine the default may never be met
  --qemu HOST=X    the QEMU of a host, by version or path
  --json FILE      every move and the summaries, for other programs`;

const values = readOptions(usage, {
  moves: { type: "string", default: "20" },
  memory: { type: "string", default: "512" },
  link: { type: "string" },
  ip: { type: "string", default: "4" },
  idle: { type: "boolean", default: false },
  "max-outage": { type: "string" },
  qemu: { type: "string", multiple: true, default: [] },
  json: { type: "string" },
});

type Family = 4 | 6;

interface Moved {
  family: Family;
  record: MoveRecord;
  totalMs: number;
  window: Window;
  /** Of an idle guest, just before the move. */
  nonZeroBytes: number | null;
}

interface Result {
  family: Family;
  from: string;
  to: string;
  outageMs: number | null;
  stopToContMs: number | null;
  /** Where that went. */
  pause: MovePause | null;
  qemuDowntimeMs: number | null;
  totalMs: number;
  bytes: number;
  rounds: number;
  nonZeroBytes: number | null;
  /** Bytes sent over bytes of pages that hold anything but zeros. */
  sentRatio: number | null;
}

const moves = numberOf(usage, "--moves", values.moves);
const memoryMib = numberOf(usage, "--memory", values.memory, 16);
const maxOutageMs =
  values["max-outage"] === undefined ? undefined : numberOf(usage, "--max-outage", values["max-outage"]);
const qemu = Object.fromEntries(
  values.qemu.map((text) => {
    const [host = "", name = ""] = text.split("=");
    return [host, name];
  }),
);
const familiesOf: Record<string, readonly Family[]> = { 4: [4], 6: [6], both: [4, 6] };
const families = familiesOf[values.ip] ?? wrongUsage(usage, `--ip is 4, 6 or both, not ${values.ip}`);
const linkBitsPerSecond = values.link === undefined ? null : Number.parseFloat(values.link) * 1e9;

async function moveBackAndForth(lab: TestLab): Promise<void> {
  const vm = await lab.boot({ on: "a", memoryMib });
  await guestAnswers(lab.lab.id, vmAddress(0));
  await using load = values.idle ? null : await lab.load();
  const moved: Moved[] = [];
  for (let index = 0; moved.length < moves * families.length; index++) {
    const family = families[index % families.length] ?? 4;
    if (families.length > 1 || family === 6) await useFamily(lab, family);
    const left = moves - moved.filter((one) => one.family === family).length;
    const together = families.length === 1 ? moves : 2;
    for (let count = 0; count < Math.min(left, together); count++) moved.push(await move(lab, vm, family));
  }
  const seen = load === null ? null : await load.finish(moved.map(({ window }) => window));
  const results = moved.map(({ family, record, totalMs, nonZeroBytes: content }, index): Result => ({
    family,
    from: record.from,
    to: record.to,
    outageMs: seen?.windows[index]?.outageMs ?? null,
    stopToContMs: record.stopToContMs,
    pause: record.pause,
    qemuDowntimeMs: record.qemuDowntimeMs,
    totalMs,
    bytes: record.bytes,
    rounds: record.rounds,
    nonZeroBytes: content,
    sentRatio: content === null ? null : record.bytes / content,
  }));
  await tell(lab, results, seen);
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ results, client: seen }, null, 2)}\n`);
}

/** The hosts' migration addresses are of this family from now on. */
async function useFamily(lab: TestLab, family: Family): Promise<void> {
  for (const host of lab.lab.hosts) await host.setMigrationFamily(family);
  const areSeen = async () =>
    (await lab.api.call("hostList", {})).hosts.every(
      ({ state, facts }) =>
        state === "connected" && facts?.migration?.address.includes(":") === (family === 6),
    );
  await until(areSeen, { everyMs: 200, limitMs: 60_000 });
}

async function move(lab: TestLab, vm: VmView, family: Family): Promise<Moved> {
  const { host } = await lab.vm(vm.name);
  const to = host === "a" ? "b" : "a";
  const content = values.idle ? await contentOf(lab, vm) : null;
  const began = Date.now();
  const startedAt = performance.now();
  const body = maxOutageMs === undefined ? { to } : { to, maxOutageMs };
  const task = await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: vm.name }, body }));
  const totalMs = performance.now() - startedAt;
  const runners = await lab.runnersOf(vm);
  if (runners.join() !== to)
    throw new Error(`the VM runs on ${runners.join(" and ") || "no host"}, not on ${to}`);
  const record = moveOf(task);
  if (record === null) throw new Error("a move without a record");
  return { family, record, totalMs, window: [began, Date.now() + 100], nonZeroBytes: content };
}

async function contentOf(lab: TestLab, vm: VmView): Promise<number> {
  const qemus = await qemusOf(lab.lab);
  const pid = qemus.find(({ vmId }) => vmId === vm.id)?.pid;
  if (pid === undefined) throw new Error("the VM has no QEMU");
  return await nonZeroBytes(pid, memoryMib);
}

const milliseconds = (value: number) => `${value.toFixed(1)} ms`;
const mebibytes = (value: number) => `${(value / 2 ** 20).toFixed(1)} MiB`;
const shown = {
  outageMs: milliseconds,
  stopToContMs: milliseconds,
  qemuDowntimeMs: milliseconds,
  totalMs: milliseconds,
  bytes: mebibytes,
  nonZeroBytes: mebibytes,
  sentRatio: (value: number) => value.toFixed(3),
} as const;

/** In the order in which they come; the first and the last are not in the pause. */
const pauseParts = [
  "decisionMs",
  "lastPagesMs",
  "vetoMs",
  "deviceStateMs",
  "commitMs",
  "commitTravelMs",
  "contMs",
  "resumeMs",
  "announceMs",
] as const satisfies readonly (keyof MovePause)[];

async function tell(lab: TestLab, results: readonly Result[], seen: LoadReport | null): Promise<void> {
  const { hosts } = await lab.api.call("hostList", {});
  console.log(
    hosts
      .map(({ name, facts }) => `${name}: QEMU ${facts?.qemu.version ?? ""} ${facts?.qemu.accelerator ?? ""}`)
      .join(", "),
  );
  for (const family of families) {
    if (families.length > 1) console.log(`\nover IPv${String(family)}`);
    console.log(tableOf(results.filter((result) => result.family === family)));
  }
  if (seen === null) return;
  const { acknowledged, lost, duplicated, reconnects } = seen;
  console.log(
    `client: ${String(acknowledged)} acknowledged, ${String(lost)} lost, ${String(duplicated)} duplicated, ${String(reconnects)} reconnects`,
  );
}

function tableOf(results: readonly Result[]): string {
  const rows = (Object.keys(shown) as (keyof typeof shown)[]).flatMap((key) => {
    const summary = summaryOf(results.map((result) => result[key]));
    const show = shown[key];
    return summary === null
      ? []
      : [[key, ...[summary.median, summary.best, summary.worst].map((value) => show(value))]];
  });
  const parts = pauseParts.flatMap((key) => {
    const summary = summaryOf(results.map(({ pause }) => pause?.[key] ?? null));
    if (summary === null) return [];
    return [[`pause.${key}`, ...[summary.median, summary.best, summary.worst].map((ms) => milliseconds(ms))]];
  });
  return table([["", "median", "best", "worst"], ...rows, ...parts]);
}

await measure(async (interrupted) => {
  await using lab = await TestLab.start({
    ...{ hosts: ["a", "b"], qemu, linkBitsPerSecond },
    forbidsUserfaultfd: false,
  });
  await Promise.race([moveBackAndForth(lab), interrupted]);
});
