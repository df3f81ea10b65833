/** This host and a LUN with persistent reservations, which here is a table of keys: what is asked of it, and what follows. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GodwitError, type DatastoreDefinition } from "@godwit/contract";
import { keyOf, type LunDoor } from "@godwit/storage";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fencedAt } from "../src/reservations/fence-vm.ts";
import { RegistrationNotes } from "../src/reservations/registration-note.ts";
import { Reservations } from "../src/reservations/reservations.ts";

const wwn = "6001405e8c2f9cc868049749f4e4f851";
const definition: DatastoreDefinition = {
  ...{ name: "san", shared: true, source: { kind: "lun", wwn }, reservations: true },
};

/** A LUN that three hosts share, as this one sees it over one path. */
class FakeLun implements LunDoor {
  keys: string[] = [];
  holder: string | null = null;
  hasActiveVolumes = false;
  identities = ["session1/0:0:0:1"];
  dead: string[] = [];
  isAway = false;
  generation = 0;
  readonly paths = [{ device: "/dev/sda", identity: "session1/0:0:0:1", isRunning: true }];

  read = () => {
    if (this.isAway)
      return Promise.reject(
        GodwitError.of("PROGRAM_FAILED", { program: "sg_persist", what: "", output: "away" }),
      );
    const reservation = this.holder === null ? null : { key: this.holder, isRegistrantsOnly: true };
    return Promise.resolve({ generation: String(this.generation), keys: [...this.keys], reservation });
  };
  register = (key: string) => {
    this.generation++;
    this.keys = [...this.keys.filter((one) => one.slice(0, 12) !== key.slice(0, 12)), key];
    return Promise.resolve();
  };
  unregister = () => Promise.resolve();
  reserve = (key: string) => {
    this.holder = key;
    return Promise.resolve();
  };
  preempt = (key: string, other: string) => {
    this.generation++;
    this.keys = this.keys.filter((one) => one !== other);
    if (this.holder === other) this.holder = key;
    return Promise.resolve();
  };
  clear = () => {
    this.keys = [];
    this.holder = null;
    return Promise.resolve();
  };
}

let folder = "";
let lun = new FakeLun();
let wanted = true;
let ended: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-reservations-"));
  [lun, wanted, ended] = [new FakeLun(), true, []];
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const agent = (): Reservations => {
  const all = () => [{ ...definition, reservations: wanted, origin: "inventory" as const }];
  const vm = { name: "web-1", datastore: "vms", disks: [{ name: "data", datastore: "san", path: "x" }] };
  const kill = () => {
    ended.push(vm.name);
    return Promise.resolve();
  };
  return new Reservations({
    host: "a",
    notes: new RegistrationNotes(folder),
    datastores: {
      get all() {
        return all();
      },
      find: () => all()[0],
    },
    processes: { present: [{ spec: { vm }, kill }] } as never,
    log: pino({ level: "silent" }),
    findLun: () => Promise.resolve(lun),
  });
};
const nothing = () => Promise.resolve();
/** A look: to activate something makes one first. */
const look = async (reservations: Reservations): Promise<string> =>
  await reservations.activating("san", nothing).then(
    () => "may",
    (error: unknown) => (GodwitError.is(error) ? error.code : String(error)),
  );

test("a host registers, the LUN is reserved when all have, and a dead one is fenced once", async () => {
  const reservations = agent();
  expect(await look(reservations)).toBe("may");
  const [own = ""] = lun.keys;
  expect(own.slice(0, 12)).toBe(keyOf("a", 0).slice(0, 12));
  await expect(reservations.reserve("san", ["a", "b"])).rejects.toMatchObject({
    code: "DATASTORE_UNAVAILABLE",
  });
  expect(lun.holder).toBeNull();
  await expect(reservations.take("san", "b")).rejects.toThrow("nothing is reserved");
  lun.keys.push(keyOf("b", 7));
  await reservations.reserve("san", ["a", "b"]);
  expect(lun.holder).toBe(own);
  await reservations.take("san", "b");
  expect(lun.keys).toEqual([own]);
  // A second VM of it: this agent knows that it took the key.
  await reservations.take("san", "b");
  lun.generation++; // somebody registered since
  await expect(reservations.take("san", "b")).rejects.toThrow("no key of host b");
  await look(reservations);
  expect(reservations.stateOf("san")).toEqual({ registered: true, reserved: true, reason: null });
});

test("a host whose key was taken ends its VMs, starts none, and registers again only after them", async () => {
  const reservations = agent();
  await look(reservations);
  const [own = ""] = lun.keys;
  lun.hasActiveVolumes = true;
  [lun.keys, lun.holder] = [[keyOf("b", 7)], keyOf("b", 7)];
  expect(await look(reservations)).toBe("DATASTORE_UNAVAILABLE");
  expect(ended).toEqual(["web-1"]);
  expect(lun.keys).toEqual([keyOf("b", 7)]);
  lun.hasActiveVolumes = false;
  expect(await look(reservations)).toBe("may");
  expect(lun.keys).toHaveLength(2);
  expect(lun.keys).not.toContain(own);
});

test("what cannot be seen ends nothing, starts nothing and fences nobody", async () => {
  const reservations = agent();
  await look(reservations);
  lun.keys.push(keyOf("b", 7));
  await reservations.reserve("san", ["a", "b"]);
  lun.hasActiveVolumes = true;
  lun.isAway = true;
  expect(await look(reservations)).toBe("DATASTORE_UNAVAILABLE");
  await expect(reservations.take("san", "b")).rejects.toThrow();
  expect(ended).toEqual([]);
  expect(reservations.stateOf("san")).toMatchObject({ registered: false, reserved: false });
});

test("an agent that was started again goes on with the key, and turning it off removes all", async () => {
  await look(agent());
  const [own] = lun.keys;
  const again = agent();
  lun.hasActiveVolumes = true;
  await look(again);
  expect(lun.keys).toEqual([own]);
  lun.holder = own ?? null;
  wanted = false;
  const timer = again.repeated();
  timer.start();
  await expect.poll(() => lun.keys).toEqual([]);
  timer.stop();
  expect(lun.holder).toBeNull();
});

test("a VM counts as fenced only if all that it writes lies on such LUNs", () => {
  const disk = (datastore?: string) => ({ name: "d", path: "x", format: "raw" as const, datastore });
  const of = (vm: object) => fencedAt({ datastore: "vms", disks: [disk("san")], ...vm }, ["san", "two"], []);
  expect(of({})).toEqual({ luns: ["san"], programs: [] });
  expect(of({ disks: [disk("san"), disk("two")] })).toEqual({ luns: ["san", "two"], programs: [] });
  for (const not of [
    { disks: [] },
    { disks: [disk("san"), disk()] },
    { disks: [disk("san"), disk("vms")] },
    { firmware: { kind: "uefi", secureBoot: false } },
    { tpm: true },
  ])
    expect(of(not)).toHaveProperty("problem");
});

test("with fence programs its folder may hold what it writes, too", () => {
  const disk = (datastore?: string) => ({ name: "d", path: "x", format: "raw" as const, datastore });
  const of = (vm: object) =>
    fencedAt({ datastore: "vms", disks: [disk()], ...vm }, ["san"], ["vms", "filer"]);
  expect(of({})).toEqual({ luns: [], programs: ["vms"] });
  const uefi = { firmware: { kind: "uefi", secureBoot: false }, tpm: true };
  expect(of(uefi)).toEqual({ luns: [], programs: ["vms"] });
  // Of a folder that nothing is written in, nobody needs to be fenced.
  expect(of({ disks: [disk("filer"), disk("san")] })).toEqual({ luns: ["san"], programs: ["filer"] });
  expect(of({ ...uefi, disks: [disk("filer"), disk("san")] })).toEqual({
    luns: ["san"],
    programs: ["filer", "vms"],
  });
  for (const not of [
    { disks: [disk("other")] },
    { datastore: "other", disks: [disk()] },
    { datastore: "other", disks: [disk("filer")], ...uefi },
  ])
    expect(of(not)).toHaveProperty("problem");
});

test("a path that did not work when the host registered keeps it from counting, and later VMs from the host", async () => {
  const reservations = agent();
  lun.dead = ["session2/0:0:0:1"];
  expect(await look(reservations)).toBe("may");
  expect(reservations.stateOf("san")).toMatchObject({
    ...{ registered: false, reserved: false },
    reason: expect.stringContaining("does not work") as string,
  });
  lun.holder = lun.keys[0] ?? null;
  expect(await look(reservations)).toBe("DATASTORE_UNAVAILABLE");
  // It is registered before any VM uses the LUN, and then its failures say nothing.
  [lun.identities, lun.dead] = [["session1/0:0:0:1", "session2/0:0:0:1"], []];
  expect(await look(reservations)).toBe("may");
  [lun.identities, lun.dead] = [["session1/0:0:0:1"], ["session2/0:0:0:1"]];
  lun.hasActiveVolumes = true;
  expect(await look(reservations)).toBe("may");
  expect(reservations.stateOf("san")).toEqual({ registered: true, reserved: true, reason: null });
});

test("where they are off, nobody who activates volumes waits for another, nor for the LUN", async () => {
  wanted = false;
  lun.isAway = true;
  const reservations = agent();
  const first = Promise.withResolvers<undefined>();
  const waiting = reservations.activating("san", () => first.promise);
  await Promise.all(Array.from({ length: 60 }, () => reservations.activating("san", nothing)));
  first.resolve(undefined);
  await waiting;
});
