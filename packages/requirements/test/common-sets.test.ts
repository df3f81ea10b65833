/**
 * Pools whose baseline is a common set, for CPUs beyond EVC modes, by the decisions that the product makes of them: who
 * gets in, what a VM is powered on with there, and to which hosts it goes. What QEMU shows of a set is held against
 * QEMU itself elsewhere; no emulated guest can be given a whole set, so that only hosts with KVM get into such pools.
 */
import { vmSchema } from "@godwit/contract";
import {
  commonSets,
  cpuOf,
  features as table,
  hostAdmission,
  modeId,
  powerOnCpu,
  reportOf,
  simulatedCpu,
  type EvcMode,
} from "@godwit/cpu";
import { describe, expect, test } from "vitest";
import { checkMove } from "../src/check-move.ts";
import type { HostReport } from "../src/facts.ts";
import { hostReport } from "./host-report.ts";

/** What a guest sees of it beyond what every guest has. */
const exposedFeatures = ({ features, hidden }: EvcMode): string[] =>
  features.filter((feature) => !hidden.includes(feature)).sort();

/** A host with KVM whose CPU has the set, and `more`, and not `gone`; its QEMU gives what its CPU has. */
function hostOf(name: string, set: EvcMode, { more = [], gone = [] }: Change = {}): HostReport {
  const simulated = reportOf(simulatedCpu(set));
  const of = (features: readonly string[]) =>
    [...new Set([...features, ...more])].filter((feature) => !gone.includes(feature)).sort();
  return hostReport(name, ({ facts }) => {
    const report = { ...simulated, features: of(simulated.features), evcModes: [] };
    Object.assign(facts.cpu, { vendor: simulated.vendor, report });
    Object.assign(facts.qemu, {
      accelerator: "kvm",
      cpuModels: [{ name: set.cpu.model, unavailableFeatures: [...gone] }],
      availableFeatures: of(simulated.features),
    });
  });
}
interface Change {
  more?: readonly string[];
  gone?: readonly string[];
}

const admitted = (set: EvcMode, { facts }: HostReport) => {
  const { report } = facts.cpu;
  if (report === null) throw new TypeError("a host without a CPU report");
  const cpu = { ...cpuOf(report), label: facts.name };
  const host = { name: facts.name, connected: true, agentVersion: "1", qemu: facts.qemu, cpu };
  const pool = { name: "east", mode: modeId(set), microcode: [], empty: false };
  return hostAdmission({ pool, host, running: [], inPool: [] })
    .findings.filter(({ severity }) => severity === "error")
    .map(({ code }) => code);
};

/** As it is powered on in the pool. */
function vmIn(set: EvcMode, { facts }: HostReport) {
  const baseline = { mode: modeId(set), microcode: [] };
  const { report } = facts.cpu;
  const cpu = report === null ? null : cpuOf(report);
  const where = { vm: "web-1", host: facts.name, qemu: facts.qemu, emulated: false };
  const poweredOn = powerOnCpu({ ...where, request: undefined, baseline, cpu });
  expect(poweredOn.findings.filter(({ severity }) => severity === "error")).toEqual([]);
  return vmSchema.parse({
    ...{ version: 1, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
    ...{ memoryMib: 1024, vcpus: 2, machine: "pc-q35-7.2", disks: [], nics: [] },
    cpu: { ...poweredOn.cpu, vendor: facts.cpu.vendor, features: exposedFeatures(set) },
  });
}

const cpuCodes = (vm: ReturnType<typeof vmIn>, from: HostReport, to: HostReport) =>
  checkMove({
    vm,
    runtime: {
      ...{ id: vm.id, name: vm.name, state: "running", pid: 1, accelerator: "kvm", startedAt: null },
      ...{ memoryMib: 1024, pauseReason: null },
    },
    source: from.facts,
    sourceLoad: null,
    destination: { name: to.facts.name, takesVms: true, report: to },
  })
    .filter(({ code, severity }) => code.includes("CPU") && severity === "error")
    .map(({ code }) => code);

describe.each(commonSets.map((set) => [set.key, set] as const))("%s", (_, set) => {
  const more = table
    .filter(({ name, runtime }) => !runtime && !set.features.includes(name))
    .map(({ name }) => name);
  const [exact, richer] = [hostOf("a", set), hostOf("b", set, { more })];

  test("both generations get in, and a VM that is powered on at either goes both ways", () => {
    expect(admitted(set, exact)).toEqual([]);
    expect(admitted(set, richer)).toEqual([]);
    const [first, second] = [vmIn(set, exact), vmIn(set, richer)];
    expect(first.cpu).toEqual(second.cpu);
    expect(first.cpu).toMatchObject({ model: set.cpu.model, evcMode: modeId(set) });
    expect(cpuCodes(second, richer, exact)).toEqual([]);
    expect(cpuCodes(second, exact, richer)).toEqual([]);
  });

  test("without any one of what it shows, a host does not get in and gets no VM of it", () => {
    const vm = vmIn(set, exact);
    const shown = exposedFeatures(set);
    expect(shown.length).toBeGreaterThan(20);
    for (const feature of shown) {
      const poorer = hostOf("c", set, { gone: [feature] });
      expect(admitted(set, poorer), feature).not.toEqual([]);
      expect(cpuCodes(vm, exact, poorer), feature).toEqual(["DESTINATION_CPU_LACKS"]);
    }
  });

  test("no host of another vendor gets in, nor gets a VM of it", () => {
    const other = commonSets.find(({ vendor }) => vendor !== set.vendor) ?? set;
    const stranger = hostOf("d", other);
    expect(admitted(set, stranger)).toEqual(["EVC_HOST_VENDOR_DIFFERS"]);
    expect(cpuCodes(vmIn(set, exact), exact, stranger)).toContain("DESTINATION_CPU_VENDOR_DIFFERS");
  });
});
