/** A host whose hypervisor gives its time to others, from simulated counters of the kernel. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SourceAbsent } from "../src/health/health-source.ts";
import { Steal } from "../src/health/steal.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "steal-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});
const everyMs = 30_000;

/** Ticks of a hundredth of a second between two looks. */
async function looks(source: Steal, times: number, ticks: { used: number; stolen: number }, from: number) {
  let told: string[] = [];
  for (let count = 0; count < times; count += 1) {
    const at = from + count;
    const [used, stolen] = [ticks.used * at, ticks.stolen * at];
    await writeFile(join(folder, "stat"), `cpu  ${String(used)} 0 0 100 0 0 0 ${String(stolen)} 0 0\n`);
    told = source.look(at * everyMs).map(({ state, evidence }) => `${state}: ${evidence}`);
  }
  return told;
}

test("a tenth of the time that it wanted, over minutes, is moderate; a short while, or an idle host, is nothing", async () => {
  const source = new Steal(folder);
  const busy = { used: 2400, stolen: 600 };
  expect(await looks(source, 4, busy, 1)).toEqual([]);
  expect(await looks(source, 8, busy, 5)).toEqual([
    "moderate: a hypervisor under it took 20 % of the CPU time that it wanted within five minutes",
  ]);
  expect(await looks(new Steal(folder), 12, { used: 2400, stolen: 100 }, 1)).toEqual([]);
  expect(await looks(new Steal(folder), 12, { used: 100, stolen: 100 }, 1)).toEqual([]);
});

test("where the kernel does not count it, the source says that it cannot look", () => {
  expect(() => new Steal(join(folder, "none")).look(0)).toThrow(SourceAbsent);
});
