/** After a pause all hosts report at once: their reports are written in parts, and none waits for ever. */
import { readFile } from "node:fs/promises";
import type { HostFacts } from "@godwit/contract";
import type { SeenHost, Store } from "@godwit/store";
import { pino } from "pino";
import { expect, test } from "vitest";
import { ReportIntake } from "../src/hosts/report-intake.ts";
import { reportOfVersion1, version1ReportSchema } from "../src/hosts/version-1.ts";

test("a thousand reports at once are written in parts, each host's newest once; what fails fails only its own", async () => {
  const written: string[][] = [];
  const store = {
    hosts: {
      saw: (seen: SeenHost[]) => {
        const names = seen.map(({ name }) => name);
        if (names.includes("host-500")) return Promise.reject(new Error("the database had no time"));
        written.push(names);
        return Promise.resolve();
      },
    },
    vms: { ofReports: async () => [], some: async () => [] },
    loads: { write: async () => undefined },
    pools: { baselinesOf: async () => new Map() },
  } as unknown as Store;
  const intake = new ReportIntake(store, pino({ level: "silent" }));
  const recorded = await readFile(new URL("data/version-1-report.json", import.meta.url), "utf8");
  const { facts, load } = reportOfVersion1(version1ReportSchema.parse(JSON.parse(recorded)));
  const report = (name: string) => ({
    ...{ host: name, connectionFindings: [], known: 0, holdsLease: () => Promise.resolve(false) },
    // One whose report cannot be judged.
    facts: name === "host-1" ? ({ name } as HostFacts) : { ...facts, name },
    load: { ...load, name, vms: [] },
  });
  const names = Array.from({ length: 1000 }, (_, index) => `host-${String(index)}`);
  const taken = await Promise.allSettled(
    [...names, "host-999"].map(async (name) => {
      await intake.take(report(name));
    }),
  );
  const failed = taken.filter(({ status }) => status === "rejected").length;
  expect(Math.max(...written.map(({ length }) => length))).toBeLessThanOrEqual(64);
  expect(taken[1]?.status).toBe("rejected");
  expect(taken[2]?.status).toBe("fulfilled");
  expect(taken[500]?.status).toBe("rejected");
  expect(failed).toBeLessThanOrEqual(65);
  expect(new Set(written.flat()).size).toBe(1000 - failed);
  expect(written.flat()).toHaveLength(1000 - failed);
});
