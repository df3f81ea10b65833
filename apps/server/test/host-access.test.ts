/** Access that hosts lose and get back: what is written when, when a host gets it back by itself, and what a server that was killed goes on with. */
import type { HostLoad } from "@godwit/contract";
import type { FencedHost, HostAccessRow } from "@godwit/store";
import pino from "pino";
import { beforeEach, expect, test } from "vitest";
import type { FenceAction, FenceOrder } from "../src/fencing/fence-programs.ts";
import { HostAccess } from "../src/fencing/host-access.ts";

let rows: HostAccessRow[];
let ran: { action: FenceAction; state: string | undefined }[];
let fails: Partial<Record<FenceAction, string>>;
let held: Promise<void>;
let agentUrl: string;
let told: string[][];

const ofB = () => rows.find((row) => row.host === "b");
const store = {
  access: {
    list: () => Promise.resolve(rows.map((row) => ({ ...row }))),
    revoking: (
      datastore: string,
      order: FencedHost,
      { bootId, now }: { bootId: string | null; now: Date },
    ) => {
      const { name: host } = order;
      const row = { state: "revoking" as const, reason: null, bootId, order };
      const before = ofB();
      if (before === undefined) rows.push({ datastore, host, since: now.toISOString(), ...row });
      else Object.assign(before, row);
      return Promise.resolve("fence");
    },
    set: (_datastore: string, _host: string, change: Pick<HostAccessRow, "state" | "reason">) => {
      const row = ofB();
      if (row !== undefined) Object.assign(row, change);
      return Promise.resolve();
    },
    restored: () => {
      rows = [];
      return Promise.resolve();
    },
  },
  datastores: {
    show: (name: string) =>
      Promise.resolve({
        name,
        source: { kind: "directory", path: "/srv" },
        hosts: [],
        fenceProgram: "fence",
      }),
  },
  hosts: {
    show: (name: string) => Promise.resolve({ name, agentUrl, facts: null }),
  },
};
const programs = {
  run: async (_program: string, action: FenceAction, { host }: FenceOrder) => {
    told.push([action, host.agent, ...host.addresses]);
    ran.push({ action, state: ofB()?.state });
    await held;
    return fails[action] ?? null;
  },
};
async function server(): Promise<HostAccess> {
  const parts = { store, programs, log: pino({ level: "silent" }) };
  const access = new HostAccess(parts as unknown as ConstructorParameters<typeof HostAccess>[0]);
  await access.open();
  return access;
}
const actions = () => ran.map(({ action }) => action);
beforeEach(() => {
  [rows, ran, fails, held] = [[], [], {}, Promise.resolve()];
  [agentUrl, told] = ["https://192.0.2.1:8444", []];
});

test("it is written down before the program runs, and given back only after another boot", async () => {
  const access = await server();
  await access.revoke("vms", "b", "boot-1");
  expect(ran).toEqual([{ action: "revoke", state: "revoking" }]);
  expect(ofB()).toMatchObject({ state: "revoked", bootId: "boot-1", reason: null });
  for (const bootId of ["boot-1", undefined]) {
    expect(access.heard("b", { bootId }).map(({ code }) => code)).toEqual(["DATASTORE_ACCESS_REVOKED"]);
    await access.stop();
  }
  expect(access.heard("a", { bootId: "boot-9" })).toEqual([]);
  expect(actions()).toEqual(["revoke"]);
  access.heard("b", { bootId: "boot-2" });
  await access.stop();
  expect(ran.at(-1)).toEqual({ action: "restore", state: "restoring" });
  expect(access.heard("b", { bootId: "boot-2" })).toEqual([]);
});

test("of a host whose boot is not known only an operator says that it was restarted", async () => {
  const access = await server();
  await access.revoke("vms", "b", null);
  const [alarm] = access.heard("b", { bootId: "boot-2" });
  expect(alarm).toMatchObject({ details: { isBootKnown: false } });
  expect(() => {
    access.mustHave(["vms"], "b");
  }).toThrow("which boot was fenced is not known");
  await access.stop();
  expect(actions()).toEqual(["revoke"]);
  await access.restore("vms", "b");
  expect(rows).toEqual([]);
});

test("a program that fails may have done a part: it stays written, is run again, and a server that starts knows it", async () => {
  fails = { revoke: "the filer says no" };
  const first = await server();
  await expect(first.revoke("vms", "b", "boot-1")).rejects.toThrow(
    "fence program fence of datastore vms did not succeed: the filer says no",
  );
  expect(ofB()).toMatchObject({ state: "revoking", reason: "the filer says no" });
  fails = {};
  const access = await server();
  expect(access.of("vms", "b")).toMatchObject({ state: "revoking" });
  await access.revoke("vms", "b", "boot-2");
  expect(ofB()).toMatchObject({ state: "revoked", bootId: "boot-2" });
  // The next VM of the host finds it so.
  await access.revoke("vms", "b", "boot-2");
  expect(actions()).toEqual(["revoke", "revoke"]);
  fails = { restore: "not now" };
  access.heard("b", { bootId: "boot-3" });
  await access.stop();
  expect(ofB()).toMatchObject({ state: "restoring", reason: "not now" });
  // Reports come often; the program does not run with each.
  access.heard("b", { bootId: "boot-3" });
  await access.stop();
  expect(actions()).toEqual(["revoke", "revoke", "restore"]);
  await expect(access.restore("vms", "b")).rejects.toMatchObject({ code: "DATASTORE_ACCESS_NOT_RESTORED" });
  // What was given back, perhaps in part, is taken again for the next VM.
  fails = {};
  await access.revoke("vms", "b", "boot-3");
  expect(ofB()).toMatchObject({ state: "revoked", bootId: "boot-3" });
});

test("what was taken is given back, by the addresses of then; a host that is fenced again is fenced by those of both times", async () => {
  const access = await server();
  await access.revoke("vms", "b", "boot-1");
  agentUrl = "https://192.0.2.2:8444";
  await access.revoke("vms", "b", "boot-2");
  agentUrl = "https://192.0.2.3:8444";
  await access.restore("vms", "b");
  expect(told).toEqual([
    ["revoke", "192.0.2.1"],
    ["revoke", "192.0.2.2", "192.0.2.1"],
    ["restore", "192.0.2.2", "192.0.2.1"],
  ]);
});

test("taking and giving back never overlap; a host that is fenced again meanwhile does not get it back for its boot before", async () => {
  const access = await server();
  await access.revoke("vms", "b", "boot-1");
  const gate = Promise.withResolvers<undefined>();
  held = gate.promise;
  access.heard("b", { bootId: "boot-2" });
  const again = access.revoke("vms", "b", "boot-2");
  await expect.poll(actions).toEqual(["revoke", "restore"]);
  gate.resolve(undefined);
  await again;
  expect(actions()).toEqual(["revoke", "restore", "revoke"]);
  access.heard("b", { bootId: "boot-2" });
  await access.stop();
  expect(ofB()).toMatchObject({ state: "revoked", bootId: "boot-2" });
});

test("a host without access has a datastore that it cannot use, however it looks from there", async () => {
  const access = await server();
  await access.revoke("vms", "b", "boot-1");
  const datastores = ["vms", "other"].map((name) => ({ name, reason: null }));
  const load = (name: string) => access.seen({ name, datastores } as unknown as HostLoad);
  expect(load("a").datastores.map(({ reason }) => reason)).toEqual([null, null]);
  expect(load("b").datastores.map(({ reason }) => reason)).toEqual([
    expect.stringContaining("was fenced there"),
    null,
  ]);
  expect(() => {
    access.mustHave(["other", "vms"], "b");
  }).toThrow("was fenced there");
  access.mustHave(["vms"], "a");
});

test("a check ends at the first host for which the program fails", async () => {
  fails = { check: "the filer does not know it" };
  const hosts = Array.from({ length: 1000 }, (_, index) => `h${String(index).padStart(3, "0")}`);
  const access = await server();
  await expect(access.check("vms", "fence", hosts)).rejects.toMatchObject({
    problem: {
      code: "FENCE_PROGRAM_UNUSABLE",
      details: { reason: "for host h000: the filer does not know it" },
    },
  });
  expect(ran).toHaveLength(8);
  [fails, ran] = [{}, []];
  await access.check("vms", "fence", hosts);
  expect(ran).toHaveLength(1000);
});
