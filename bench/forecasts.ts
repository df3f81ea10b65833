/**
 * Forecasts beside what happened: guests that each do something else move there and back, each move forecast before it as
 * `godwit vm migrate --forecast` does. Counted is how often the real figure lies in the range that was told.
 */
import { writeFile } from "node:fs/promises";
import { correctedFigures, moveOf, outcomeOf, type Task, type VmView } from "@godwit/contract";
import { vmAddress } from "@godwit/lab";
import { TestLab } from "@godwit/test-kit";
import { sleep } from "@godwit/system";
import { ComparisonGuest } from "./engines/guest/build.ts";
import { allGuests } from "./engines/loads/all.ts";
import type { GuestLoad } from "./engines/loads/load.ts";
import { calibrationRows, type ForecastMove } from "./forecasts/calibration.ts";
import { measure } from "./measure/interruption.ts";
import { table } from "./measure/statistics.ts";
import { numberOf, readOptions } from "../scripts/options.ts";

const usage = `usage: npm run bench:forecasts -- [--moves 100] [--guest NAME]… [--json FILE]

  --moves N     of all guests together, in turn
  --guest NAME  only these guests (idle, writer-64-20, writer-64-200-flushing, redis, compiler)
  --json FILE   each move's forecast and outcome`;

const values = readOptions(usage, {
  moves: { type: "string", default: "100" },
  guest: { type: "string", multiple: true, default: [] },
  json: { type: "string" },
});
const moves = numberOf(usage, "--moves", values.moves);
const usual = ["idle", "writer-64-20", "writer-64-200-flushing", "redis", "compiler"];
const names = values.guest.length > 0 ? values.guest : usual;
const guests = allGuests.filter(({ name }) => names.includes(name));

/** For the guest to come to its pace. */
const beforeMs = 3000;
const memoryMib = Math.max(...guests.map(({ mib }) => mib + 320));

const say = (text: string) => {
  console.error(text);
};

await measure(async (interrupted) => {
  const done: ForecastMove[] = [];
  try {
    await using guest = await ComparisonGuest.build(say);
    await using lab = await TestLab.start({
      ...{ hosts: ["a", "b"], qemu: { a: "10.0", b: "10.0" }, linkBitsPerSecond: 1e9 },
      forbidsUserfaultfd: false,
    });
    await Promise.race([moveAll(lab, guest, done), interrupted]);
  } finally {
    console.log(table(calibrationRows(done)));
    if (values.json !== undefined)
      await writeFile(values.json, `${JSON.stringify({ moves: done }, null, 2)}\n`);
  }
});

async function moveAll(lab: TestLab, { image }: ComparisonGuest, done: ForecastMove[]): Promise<void> {
  const vms: { vm: VmView; guest: GuestLoad; address: string }[] = [];
  for (const [index, guest] of guests.entries()) {
    const vm = await lab.boot({ name: guest.name, on: "a", memoryMib, vcpus: guest.vcpus, image });
    vms.push({ vm, guest, address: vmAddress(index) });
  }
  for (let number = 0; number < moves; number++) {
    const one = vms[number % vms.length];
    if (one === undefined) return;
    const move = await forecastMove(lab, one);
    done.push(move);
    const { totalMs } = move.figures;
    const told =
      totalMs === undefined
        ? "it did not end well"
        : `${seconds(totalMs.real)}, said ${seconds(totalMs.p10)} to ${seconds(totalMs.p90)}`;
    say(`${String(number + 1)} of ${String(moves)}: ${move.guest}: ${told}`);
  }
}

async function forecastMove(
  lab: TestLab,
  { vm: { name }, guest, address }: { vm: VmView; guest: GuestLoad; address: string },
): Promise<ForecastMove> {
  const running = (await guest.work?.begin({ labId: lab.lab.id, address })) ?? null;
  try {
    await sleep(beforeMs);
    const { host } = await lab.vm(name);
    const body = { to: host === "a" ? "b" : "a", forecast: true };
    const task = await lab.ended(lab.api.call("vmMigrate", { params: { vm: name }, body }));
    return outcomeBeside(guest.name, task);
  } finally {
    await running?.end();
  }
}

/** Of a move that did not end well nothing is counted. */
function outcomeBeside(guest: string, task: Task): ForecastMove {
  const forecast = task.kind === "vm.migrate" ? task.request.forecast : undefined;
  const record = moveOf(task);
  if (forecast === undefined || record === null || task.state !== "succeeded")
    return { guest, correctedBy: forecast?.correctedBy ?? 0, figures: {} };
  const outcome = outcomeOf(record);
  const figures: ForecastMove["figures"] = {};
  for (const figure of correctedFigures) {
    const real = outcome[figure];
    if (real !== null && real > 0)
      figures[figure] = { ...forecast[figure], uncorrected: forecast.uncorrected[figure], real };
  }
  return { guest, correctedBy: forecast.correctedBy, figures };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
