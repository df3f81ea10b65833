/** What hosts have beside what is defined: told, told again until it is so, and shown. */
import type { HostFacts, HostLoad } from "@godwit/contract";
import { expect, test } from "vitest";
import { datastoreViews } from "../src/datastores/datastore-views.ts";
import { driftOf, mustBeTold } from "../src/datastores/drift.ts";

const at = (path: string) => ({ kind: "directory" as const, path });
const wanted = (name: string, path = `/srv/${name}`, shared = true) => ({ name, shared, source: at(path) });
const has = (name: string, origin?: "inventory" | "configuration", path = `/srv/${name}`, shared = true) => ({
  ...{ name, id: null, path, shared, source: at(path) },
  ...(origin === undefined ? {} : { origin }),
});
const facts = (datastores: object[], refused?: HostFacts["datastoresRefused"]) =>
  ({ datastores, ...(refused === undefined ? {} : { datastoresRefused: refused }) }) as unknown as HostFacts;

test("what is missing, elsewhere, of another kind or still there is a drift; a host is told until there is none", () => {
  const same = facts([has("vms", "inventory")], []);
  expect(driftOf([wanted("vms")], same)).toEqual([]);
  expect(mustBeTold([wanted("vms")], same)).toBe(false);
  for (const [desired, now] of [
    [[wanted("vms")], facts([], [])],
    [[wanted("vms", "/mnt/vms")], same],
    [[wanted("vms", "/srv/vms", false)], same],
    [[], same],
  ] as const) {
    expect(driftOf(desired, now)).toHaveLength(1);
    expect(mustBeTold(desired, now)).toBe(true);
  }
  const refused = facts([has("vms", "inventory")], [{ name: "vms", reason: "VM web-1 runs from it" }]);
  expect(driftOf([], refused)[0]?.reason).toContain("VM web-1 runs from it");
  // By its own configuration as defined: no drift, and told once so that the inventory's counts.
  const configured = facts([has("vms", "configuration")], []);
  expect(driftOf([wanted("vms")], configured)).toEqual([]);
  expect(mustBeTold([wanted("vms")], configured)).toBe(true);
  // Its own and not defined: not the inventory's to take away.
  expect(driftOf([], configured)).toEqual([]);
});

test("an agent of a version that takes no definitions is not told, and says so", () => {
  const earlier = facts([has("vms")]);
  expect(mustBeTold([wanted("iso")], earlier)).toBe(false);
  expect(driftOf([wanted("vms"), wanted("iso")], earlier)).toEqual([
    { name: "iso", reason: expect.stringContaining("takes no definitions") as string },
  ]);
});

test("a datastore is shown as each host has it", () => {
  const load = (reason: string | null) =>
    ({
      datastores: [{ name: "vms", reason, space: null, readOnly: reason !== null, leases: null }],
    }) as unknown as HostLoad;
  const row = {
    ...wanted("vms"),
    ...{ everyHost: true, createdAt: new Date(0) },
    hosts: [{ host: "d", source: at("/mnt/vms") }],
  };
  const host = (name: string, now: object) => ({
    ...{ name, isUp: true, facts: facts([has("vms", "inventory")], []), load: load(null), ...now },
  });
  const [own, view] = datastoreViews(
    [row],
    [
      host("a", {}),
      host("b", { load: load("/srv/vms is mounted read-only") }),
      host("c", { isUp: false }),
      host("d", {}),
      host("e", { facts: facts([has("own", "configuration")], []) }),
    ],
  );
  expect(view?.hosts.map(({ host: name, state }) => `${name} ${state}`)).toEqual([
    ...["a available", "b unavailable", "c unknown", "d notApplied", "e notApplied"],
  ]);
  expect(view?.hosts[1]).toMatchObject({ readOnly: true, reason: "/srv/vms is mounted read-only" });
  expect(view?.hosts[3]).toMatchObject({ desired: at("/mnt/vms"), actual: at("/srv/vms") });
  expect(own).toMatchObject({ name: "own", createdAt: null, hosts: [{ host: "e", state: "notDefined" }] });
});
