/** Persistent reservations as the server decides on them: when they are turned on and off, when a LUN is reserved, of which VMs they fence hosts. */
import type { DatastoreView, HostLoad, VmView } from "@godwit/contract";
import type { DatastoreRow } from "@godwit/store";
import { expect, test } from "vitest";
import { driftOf, knownTo } from "../src/datastores/drift.ts";
import { notToSet } from "../src/datastores/reservation-changes.ts";
import { hostsToReserveFor } from "../src/datastores/reservation-keeper.ts";
import { fencedAt, vmsOfTasksAt } from "../src/fencing/fence-host.ts";

const source = { kind: "lun" as const, wwn: "6001405e8c2f9cc868049749f4e4f851" };
const fine = { registered: true, reserved: false, reason: null };
type Reservations = typeof fine | { registered: boolean; reserved: boolean; reason: string | null } | null;

test("turning them on names every host that could not write any more", () => {
  const on = (host: string, state: string, reservations: Reservations) => ({
    host,
    state,
    reason: null,
    reservations,
  });
  const hosts = [
    on("a", "available", { registered: false, reserved: false, reason: null }),
    on("b", "unknown", null),
    on("c", "unavailable", null),
    on("d", "available", null),
    on("e", "available", { registered: false, reserved: false, reason: "sg_persist is not installed" }),
    on("old", "available", fine),
  ] as unknown as DatastoreView["hosts"];
  const abilities = (host: string) => (host === "old" ? [] : ["lunReservations"]);
  expect(notToSet({ hosts }, true, abilities).map((why) => /host (\w+)/.exec(why)?.[1])).toEqual([
    ...["b", "c", "d", "e", "old"],
  ]);
  expect(notToSet({ hosts }, false, abilities)).toEqual(["host b: it does not answer"]);
});

test("a LUN is reserved once, when every host that has it has registered", () => {
  const row = (given: Partial<DatastoreRow> = {}): DatastoreRow => ({
    ...{ name: "san", shared: true, source, everyHost: true, createdAt: new Date(0), hosts: [] },
    ...{ reservations: true, ...given },
  });
  const host = (name: string, reservations?: Reservations) => ({
    name,
    load: {
      datastores: [{ name: "san", ...(reservations == null ? {} : { reservations }) }],
    } as unknown as HostLoad,
  });
  const up = () => true;
  expect(hostsToReserveFor(row(), [host("a", fine), host("b", fine)], up)).toEqual(["a", "b"]);
  expect(hostsToReserveFor(row({ reservations: false }), [host("a", fine)], up)).toBeNull();
  expect(hostsToReserveFor(row(), [host("a", fine), host("b")], up)).toBeNull();
  expect(
    hostsToReserveFor(row(), [host("a", fine), host("b", { ...fine, registered: false })], up),
  ).toBeNull();
  expect(hostsToReserveFor(row(), [host("a", fine), host("b", { ...fine, reserved: true })], up)).toBeNull();
  expect(hostsToReserveFor(row(), [host("a", fine), host("b", fine)], (name) => name === "a")).toBeNull();
  expect(hostsToReserveFor(row(), [], up)).toBeNull();
  // Only those that have it count.
  const named = row({ everyHost: false, hosts: [{ host: "a", source: null }] });
  expect(hostsToReserveFor(named, [host("a", fine), host("b")], up)).toEqual(["a"]);
});

test("hosts are fenced for VMs that write only where they can be", () => {
  const vm = (config: object) =>
    ({ config: { datastore: "vms", disks: [{ datastore: "san" }], ...config } }) as VmView;
  const ways = { reserved: new Set(["san", "two"]), programs: new Set(["filer"]) };
  expect(fencedAt(vm({}), ways)).toEqual({ luns: ["san"], programs: [] });
  expect(fencedAt(vm({ disks: [{ datastore: "two" }, { datastore: "filer" }] }), ways)).toEqual({
    luns: ["two"],
    programs: ["filer"],
  });
  expect(fencedAt(vm({ datastore: "filer", disks: [{}], tpm: true }), ways)).toEqual({
    luns: [],
    programs: ["filer"],
  });
  for (const config of [
    { disks: [] },
    { disks: [{ datastore: "san" }, {}] },
    { disks: [{ datastore: "other" }] },
    { firmware: {} },
    { tpm: true },
  ])
    expect(fencedAt(vm(config), ways)).toBeNull();
});

test("a host is told of them, and one whose agent does not know them is not told of the LUN", () => {
  const facts = (now: object) =>
    ({
      datastores: [{ name: "san", id: null, path: "", shared: true, source, origin: "inventory" }],
      ...{ datastoresRefused: [], datastoreKinds: ["lun"], abilities: ["lunReservations"], ...now },
    }) as never;
  const wanted = { name: "san", shared: true, source, reservations: true };
  expect(driftOf([wanted], facts({}))[0]?.reason).toContain("persistent reservations are still off");
  expect(driftOf([{ name: "san", shared: true, source }], facts({}))).toEqual([]);
  expect(knownTo([wanted], facts({ abilities: [] }))).toEqual([]);
  expect(driftOf([wanted], facts({ abilities: [] }))[0]?.reason).toContain("with persistent reservations");
});

test("where a VM is of which a task has to do with the host is not known", () => {
  const task = (id: string, request: object) => ({ subject: { id, name: id }, request }) as never;
  const tasks = [
    task("comes", { from: "a", to: "b" }),
    task("leaves", { from: "b", to: "a" }),
    task("starts", { host: "b" }),
    task("elsewhere", { from: "a", to: "c" }),
  ];
  expect([...vmsOfTasksAt("b", tasks)]).toEqual(["comes", "leaves", "starts"]);
});
