/** What a try of the way found, as findings: each fault has its code, and a slow or another way is a warning. */
import { vmSchema, type PathFault, type PathProbe } from "@godwit/contract";
import { expect, test } from "vitest";
import { migrationPath } from "../src/checks/migration-path.ts";
import type { PathTrial } from "../src/facts.ts";
import { hostReport } from "./host-report.ts";

const vm = vmSchema.parse({
  ...{ version: 1, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, machine: "pc-q35-7.2", disks: [], nics: [] },
  cpu: { model: "Nehalem-v1" },
});

const open: PathProbe = {
  ...{ fault: null, reason: null, connectMs: 0.2, sendBitsPerSecond: 9e8, receiveBitsPerSecond: 9e8 },
  route: { link: "eth1", source: "10.0.0.1", gateway: null },
};

function findings(path: PathTrial | undefined) {
  const [source, report] = [hostReport("a"), hostReport("b")];
  const { facts: target, load: targetLoad } = report;
  const runtime = { ...{ id: vm.id, name: "web-1", state: "running" as const, pid: 1, memoryMib: 64 } };
  return migrationPath({
    ...{ vm, source: source.facts, sourceLoad: source.load, target, targetLoad },
    runtime: { ...runtime, accelerator: "kvm", startedAt: null, pauseReason: null },
    destination: { name: "b", takesVms: true, report, ...(path === undefined ? {} : { path }) },
  });
}

const tried = (probe: Partial<PathProbe>): PathTrial => ({
  ...{ kind: "tried", address: "10.0.0.2", port: 49_152 },
  probe: { ...open, ...probe },
});

test("an open way, and one that was not tried since something else forbids the move, have no findings", () => {
  expect(findings(tried({}))).toEqual([]);
  expect(findings(undefined)).toEqual([]);
});

test("each fault has a code of its own, and its sentence names both hosts", () => {
  const codes = {
    ...{ noRoute: "MIGRATION_ROUTE_MISSING", ownAddress: "MIGRATION_ADDRESS_TWICE" },
    ...{ forbidden: "MIGRATION_SENDING_FORBIDDEN", noNeighbour: "MIGRATION_HOST_UNANSWERED" },
    ...{ filtered: "MIGRATION_PORT_FILTERED", rejected: "MIGRATION_PORT_REJECTED" },
    ...{ foreign: "MIGRATION_ADDRESS_FOREIGN", broken: "MIGRATION_PATH_BROKEN" },
    ...{ sendsLost: "MIGRATION_PACKETS_LOST", receivesLost: "MIGRATION_PACKETS_LOST" },
  } as const satisfies Record<PathFault, string>;
  for (const [fault, code] of Object.entries(codes)) {
    const [found, ...others] = findings(tried({ fault: fault as PathFault, reason: "ECODE" }));
    expect(found).toMatchObject({ code, severity: "error" });
    expect(found?.message).toMatch(/\bhosts? a\b/i);
    expect(found?.message).toMatch(/\bb\b/);
    expect(others).toEqual([]);
  }
  const [sends, receives] = (["sendsLost", "receivesLost"] as const).map(
    (fault) => findings(tried({ fault }))[0],
  );
  expect(sends?.message).toContain(
    "from host a to host b are lost on the migration network (MTU 9000 on link eth1)",
  );
  expect(receives?.message).toContain("from host b to host a are lost");
});

test("a router that nobody answers for is named, and not the destination behind it", () => {
  const route = { link: "eth1", source: "10.0.0.1", gateway: "10.0.0.254" };
  const [found] = findings(tried({ fault: "noNeighbour", route }));
  expect(found?.message).toBe(
    "Nobody answers on link eth1 of host a for 10.0.0.254, the router on the way to the migration address 10.0.0.2 of host b.",
  );
});

test("a slow way, one over another link, and one that could not be tried are warnings", () => {
  expect(findings(tried({ sendBitsPerSecond: 94e6 }))).toMatchObject([
    { code: "MIGRATION_PATH_SLOW", severity: "warning", details: { bitsPerSecond: 94e6 } },
  ]);
  const route = { link: "eth0", source: "10.9.0.1", gateway: "10.9.0.254" };
  expect(findings(tried({ route }))).toMatchObject([
    { code: "MIGRATION_ROUTE_ELSEWHERE", severity: "warning" },
  ]);
  expect(findings({ kind: "untried", reason: "it did not answer" })).toMatchObject([
    { code: "MIGRATION_PATH_UNTRIED", severity: "warning" },
  ]);
});
