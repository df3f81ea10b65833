/** The host for a new VM's folder: it takes VMs, answers and has everything; else the reason is reported. */
import { GodwitError, type VmLoad } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { chooseHost, type Candidate } from "../src/index.ts";
import { hostReport, vmView } from "./hosts.ts";

type Options = NonNullable<Parameters<typeof hostReport>[1]>;
const host = (name: string, o: Options = {}, change: Partial<Candidate> = {}): Candidate => ({
  name,
  agentUrl: `https://${name}:8444`,
  takesVms: true,
  unreachableReason: null,
  report: hostReport(name, o),
  ...change,
});
const runner = (name: string) => hostReport(name, { vms: [vmView(1, 1024)] }).load.vms[0];
const needs = { datastores: ["shared"], nics: [{ portGroup: "office" }] };
const code = (hosts: readonly Candidate[], named?: string) => {
  try {
    return chooseHost(hosts, needs, named);
  } catch (error) {
    if (!(error instanceof GodwitError)) throw error;
    return [error.code, error.message];
  }
};

test("of the hosts that have everything, the one with the most memory; one that could not read its own comes last", () => {
  const some = [
    host("a", { availableMib: 100 }),
    host("b", { availableMib: 300 }),
    host("c", { availableMib: null }),
  ];
  expect(code(some)).toBe("b");
  expect(code(some, "a")).toBe("a");
  expect(code([host("c", { availableMib: null }), host("d", { availableMib: 0 })])).toBe("d");
});

test("of hosts with room the planner chooses: an idle one before a busy one with a little more memory", () => {
  const busy = { ...hostReport("a", { availableMib: 8192 }) };
  busy.load = { ...busy.load, vms: [{ ...(runner("x") as VmLoad), usedCpus: 7.5, residentBytes: 2 ** 30 }] };
  const hosts = [host("a", {}, { report: busy }), host("b", { availableMib: 8000 })];
  const size = { memoryMib: 1024, vcpus: 2 };
  expect(chooseHost(hosts, { ...needs, size }, undefined)).toBe("b");
  expect(chooseHost(hosts, needs, undefined)).toBe("a");
  expect(chooseHost(hosts, { ...needs, size: { memoryMib: 65_536, vcpus: 2 } }, undefined)).toBe("a");
});

test("each reason why there is none has its own error", () => {
  expect(code([])).toMatchObject(["HOST_UNKNOWN", {}]);
  expect(code([host("a", {}, { takesVms: false })])).toMatchObject(["DESTINATION_IN_MAINTENANCE", {}]);
  expect(code([host("a", {}, { unreachableReason: "it is off" })])).toEqual([
    "HOST_UNREACHABLE",
    "Host a does not answer at https://a:8444: it is off.",
  ]);
  expect(code([host("a", {}, { report: null })])).toMatchObject(["HOST_UNREACHABLE", {}]);
  expect(code([host("a", { datastores: ["other"] })])).toEqual([
    "DATASTORE_UNKNOWN",
    "There is no datastore shared; known are other.",
  ]);
  expect(code([host("a", { unusable: ["shared"] })])).toEqual([
    "DATASTORE_UNAVAILABLE",
    "Datastore shared cannot be used on host a: /srv: EIO.",
  ]);
  expect(code([host("a", { portGroups: ["lab"] })])).toEqual([
    "NETWORK_UNKNOWN",
    "Host a has no port group office; it has lab.",
  ]);
});

test("whatever the hosts are: one is chosen exactly if one has everything, and none with more memory has", () => {
  const any = fc.record({
    availableMib: fc.option(fc.nat(4), { nil: null }),
    takesVms: fc.boolean(),
    answers: fc.boolean(),
    reported: fc.boolean(),
    datastore: fc.constantFrom("none", "unusable", "usable"),
    hasPortGroup: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(any, { maxLength: 5 }),
      fc.option(fc.nat(4), { nil: undefined }),
      (all, chosenIndex) => {
        const names = all.map((_, index) => `h${String(index)}`);
        const hosts = all.map((one, index) => {
          const report = hostReport(names[index] ?? "", {
            availableMib: one.availableMib,
            datastores: one.datastore === "none" ? [] : ["shared"],
            unusable: one.datastore === "unusable" ? ["shared"] : [],
            portGroups: one.hasPortGroup ? ["office"] : [],
          });
          const unreachableReason = one.answers ? null : "it is off";
          const { takesVms } = one;
          return host(
            names[index] ?? "",
            {},
            { takesVms, unreachableReason, report: one.reported ? report : null },
          );
        });
        const named = chosenIndex === undefined ? undefined : names[chosenIndex];
        const fit = all.flatMap((one, index) =>
          one.takesVms && one.answers && one.reported && one.datastore === "usable" && one.hasPortGroup
            ? [{ name: names[index], mib: one.availableMib ?? -1 }]
            : [],
        );
        const allowed = fit.filter(({ name }) => named === undefined || name === named);
        const chosen = code(hosts, named);
        if (allowed.length === 0) {
          expect(Array.isArray(chosen)).toBe(true);
          return;
        }
        const most = Math.max(...allowed.map(({ mib }) => mib));
        expect(allowed.filter(({ mib }) => mib === most).map(({ name }) => name)).toContain(chosen);
      },
    ),
  );
});
