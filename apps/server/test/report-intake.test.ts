/** After a pause all hosts report at once: their reports are written in parts, and none waits for ever. */
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import type { HostFacts, HostLoad, VmId } from "@godwit/contract";
import type { Place, SeenHost, Store } from "@godwit/store";
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

test("a report that was judged while a move placed its VM elsewhere does not say that the VM is lost where it was", async () => {
  const recorded = await readFile(new URL("data/version-1-report.json", import.meta.url), "utf8");
  const { facts, load } = reportOfVersion1(version1ReportSchema.parse(JSON.parse(recorded)));
  const vm = { id: "4d0c7c1e-0000-4000-8000-000000000001" as VmId, name: "web-1" };
  const before: Place = { host: "a", state: "running", pauseReason: null };
  let now: Place = before;
  const placed: (Place | null)[] = [];
  const store = {
    hosts: {
      // The move's end is written after the VM was read, and before the report's word on it is.
      saw: async () => {
        now = { host: "b", state: "running", pauseReason: null };
      },
    },
    vms: {
      ofReports: async () => [{ ...vm, ...before, version: "1" }],
      some: async () => [],
      report: async (...[, , judge]: Parameters<Store["vms"]["report"]>) => placed.push(judge(now)),
    },
    loads: { write: async () => undefined },
    pools: { baselinesOf: async () => new Map() },
  } as unknown as Store;
  const intake = new ReportIntake(store, pino({ level: "silent" }));
  const report = {
    ...{ host: "a", connectionFindings: [], known: 0, holdsLease: () => Promise.resolve(false) },
    ...{ facts: { ...facts, name: "a" }, load: { ...load, name: "a", vms: [] } },
  };
  await intake.take(report);
  expect(placed).toEqual([null]);
  // It has come back since, and there is no process of it.
  now = before;
  store.hosts.saw = async () => undefined;
  await intake.take(report);
  expect(placed[1]).toMatchObject({ host: "a", state: "lost" });
});

test("once a host's reports are withdrawn none of before is written any more: what was being written is, what waited is not", async () => {
  const recorded = await readFile(new URL("data/version-1-report.json", import.meta.url), "utf8");
  const { facts, load } = reportOfVersion1(version1ReportSchema.parse(JSON.parse(recorded)));
  const course: string[] = [];
  const database = Promise.withResolvers<undefined>();
  const store = {
    hosts: {
      saw: async (seen: SeenHost[]) => {
        await database.promise;
        course.push(...seen.map(({ name }) => `${name} written`));
      },
    },
    vms: { ofReports: async () => [], some: async () => [] },
    loads: { write: async () => undefined },
    pools: { baselinesOf: async () => new Map() },
  } as unknown as Store;
  const intake = new ReportIntake(store, pino({ level: "silent" }));
  const take = async (host: string) => {
    await intake.take({
      ...{ host, connectionFindings: [], known: 0, holdsLease: () => Promise.resolve(false) },
      ...{ facts: { ...facts, name: host }, load: { ...load, name: host, vms: [] } },
    });
  };
  const taken = [take("a"), take("b"), take("c")];
  const withdrawn = ["a", "b"].map(async (host) => {
    await intake.withdraw(host);
    course.push(`${host} withdrawn`);
  });
  await setImmediate();
  expect(course).toEqual([]);
  database.resolve(undefined);
  await Promise.all([...taken, ...withdrawn]);
  expect(course).toEqual(["a written", "a withdrawn", "b withdrawn", "c written"]);
});

test("what a report alone tells is an alarm with the first report that has it, whatever else stays as it was", async () => {
  const recorded = await readFile(new URL("data/version-1-report.json", import.meta.url), "utf8");
  const { facts, load } = reportOfVersion1(version1ReportSchema.parse(JSON.parse(recorded)));
  const seen: string[][] = [];
  const vm = { id: "4d0c7c1e-0000-4000-8000-000000000001" as VmId, name: "web-1" };
  const store = {
    hosts: {
      saw: async ([host]: SeenHost[]) => seen.push(host?.alarms.map(({ code }) => code).toSorted() ?? []),
    },
    vms: {
      ofReports: async () => [{ ...vm, host: "a", state: "running", pauseReason: null, version: "1" }],
      some: async () => [],
      report: async () => undefined,
    },
    loads: { write: async () => undefined },
    pools: { baselinesOf: async () => new Map() },
  } as unknown as Store;
  const intake = new ReportIntake(store, pino({ level: "silent" }));
  const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();
  const take = async (seconds: number, changes: Partial<HostLoad>) => {
    await intake.take({
      ...{ host: "a", connectionFindings: [], known: 0, holdsLease: () => Promise.resolve(false), facts },
      load: { ...load, reportedAt: at(seconds), ...changes },
    });
  };
  const runtime = { ...load.vms[0], ...vm, pid: 7 } as HostLoad["vms"][number];
  const hangs = { vms: [{ ...runtime, guestSilentSince: at(0) }] };
  const bond = {
    mode: "active-backup",
    active: "eth0",
    ports: [
      { name: "eth0", up: true },
      { name: "eth1", up: false },
    ],
  };
  await take(10, hangs);
  await take(90, hangs);
  await take(100, {
    vms: [runtime],
    links: [
      {
        name: "bond0",
        carrier: "up",
        up: true,
        receivedBytesPerSecond: null,
        sentBytesPerSecond: null,
        bond,
      },
    ],
  });
  await take(110, { vms: [{ ...runtime, tpmEnded: true }] });
  await take(120, { vms: [runtime] });
  const [usual] = seen;
  expect(seen.map((codes) => codes.filter((code) => usual?.includes(code) !== true))).toEqual([
    [],
    ["VM_GUEST_SILENT"],
    ["HOST_BOND_DEGRADED"],
    ["TPM_ENDED"],
    [],
  ]);
});
