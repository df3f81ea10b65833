/**
 * Moves back to back under a client's load, in a lab: what the client saw, how long the vCPUs stood still,
 * how long a move took in all. A figure is of this machine and this hour; compare only within one run.
 *
 *   node bench/moves.ts [--moves 20] [--memory 512] [--link 1gbit] [--idle] [--qemu HOST=BINARY,FIRMWARE]… [--json FILE]
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { MoveRecord } from "@godwit/contract";
import { TestLab } from "@godwit/test-kit";

const { values } = parseArgs({
  options: {
    moves: { type: "string", default: "20" },
    memory: { type: "string", default: "512" },
    link: { type: "string" },
    idle: { type: "boolean", default: false },
    qemu: { type: "string", multiple: true, default: [] },
    json: { type: "string" },
  },
});

interface Result {
  from: string;
  to: string;
  outageMs: number | null;
  stopToContMs: number | null;
  qemuDowntimeMs: number | null;
  totalMs: number;
  bytes: number;
  rounds: number;
}

const qemu = Object.fromEntries(
  values.qemu.map((text) => {
    const [host = "", binary = "", firmwareFolder = ""] = text.split(/[=,]/);
    return [host, { binary, firmwareFolder }];
  }),
);
const linkBitsPerSecond = values.link === undefined ? null : Number.parseFloat(values.link) * 1e9;

await using lab = await TestLab.start({ hosts: ["a", "b"], qemu, linkBitsPerSecond });
const vm = await lab.boot({ on: "a", memoryMib: Number(values.memory) });
const load = values.idle ? null : await lab.load();
if (load === null) await new Promise((resolve) => setTimeout(resolve, 8000)); // the guest boots unseen

const moved: { record: MoveRecord; totalMs: number; window: [number, number] }[] = [];
for (let index = 0; index < Number(values.moves); index++) {
  const { host } = await lab.vm(vm.name);
  const to = host === "a" ? "b" : "a";
  const began = Date.now();
  const startedAt = performance.now();
  const task = await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: vm.name }, body: { to } }));
  const totalMs = performance.now() - startedAt;
  const runners = await lab.runnersOf(vm);
  if (runners.join() !== to)
    throw new Error(`the VM runs on ${runners.join(" and ") || "no host"}, not on ${to}`);
  if (task.move === null) throw new Error("a move without a record");
  moved.push({ record: task.move, totalMs, window: [began, Date.now() + 100] });
}
const seen = load === null ? null : await load.finish(moved.map(({ window }) => window));
const results = moved.map(({ record, totalMs }, index): Result => ({
  from: record.from,
  to: record.to,
  outageMs: seen?.windows[index]?.outageMs ?? null,
  stopToContMs: record.stopToContMs,
  qemuDowntimeMs: record.qemuDowntimeMs,
  totalMs,
  bytes: record.bytes,
  rounds: record.rounds,
}));

const { hosts } = await lab.api.call("hostList", {});
console.log(
  hosts
    .map(({ name, facts }) => `${name}: QEMU ${facts?.qemu.version ?? ""} ${facts?.qemu.accelerator ?? ""}`)
    .join(", "),
);
for (const key of ["outageMs", "stopToContMs", "qemuDowntimeMs", "totalMs", "bytes"] as const) {
  const sorted = results.flatMap((result) => result[key] ?? []).sort((a, b) => a - b);
  if (sorted.length === 0) continue;
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const show = (value: number) =>
    key === "bytes" ? `${(value / 2 ** 20).toFixed(0)} MiB` : `${value.toFixed(1)} ms`;
  console.log(
    `${key.padEnd(15)} median ${show(at(0.5)).padStart(10)}  best ${show(at(0)).padStart(10)}  worst ${show(at(1)).padStart(10)}`,
  );
}
if (seen !== null) {
  const { acknowledged, lost, duplicated, reconnects } = seen;
  console.log(
    `client: ${String(acknowledged)} acknowledged, ${String(lost)} lost, ${String(duplicated)} duplicated, ${String(reconnects)} reconnects`,
  );
}
if (values.json !== undefined)
  await writeFile(values.json, `${JSON.stringify({ results, client: seen }, null, 2)}\n`);
