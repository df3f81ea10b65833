/** Requirements: each broken alone is found alone, and all broken at once are found at once. */
import {
  finding,
  vmSchema,
  type Carrier,
  type HostFacts,
  type PortGroupState,
  type VmRuntime,
} from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkMove, checkRelocation, mayMove } from "../src/check-move.ts";
import { qemuOverheadBytes } from "../src/checks/memory.ts";
import { fixesOf } from "../src/fixes.ts";
import type { HostReport, MoveFacts } from "../src/facts.ts";
import { hostReport, link } from "./host-report.ts";

/** The first entry, with some of it changed. */
const first = <T>(all: readonly T[], change: Partial<T>): T[] =>
  all.slice(0, 1).map((one) => ({ ...one, ...change }));

const vm = vmSchema.parse({
  version: 1,
  id: "22222222-2222-4222-8222-222222222222",
  name: "web-1",
  datastore: "shared",
  memoryMib: 4096,
  vcpus: 2,
  cpu: { model: "Nehalem-v1", add: ["aes"] },
  machine: "pc-q35-7.2",
  disks: [{ name: "root", path: "web-1/root.qcow2", format: "qcow2" }],
  nics: [{ portGroup: "office", mac: "52:54:00:00:00:01" }],
});
const runtime: VmRuntime = {
  id: vm.id,
  name: "web-1",
  state: "running",
  pid: 1,
  accelerator: "kvm",
  startedAt: null,
  memoryMib: 4096,
  pauseReason: null,
};
type Change = (report: HostReport) => void;
const facts = (change: Change): MoveFacts => ({
  vm,
  runtime,
  source: hostReport("a").facts,
  sourceLoad: hostReport("a").load,
  destination: { name: "b", takesVms: true, report: hostReport("b", change) },
});

const faults: Record<string, Change> = {
  DESTINATION_CPU_LACKS: (b) => (b.facts.qemu.availableFeatures = []),
  DESTINATION_QEMU_OLDER: (b) => {
    b.facts.qemu.machines = ["pc-q35-6.0"];
    b.facts.qemu.version = "6.2.0";
  },
  DESTINATION_ACCELERATOR_DIFFERS: (b) => (b.facts.qemu.accelerator = "tcg"),
  DESTINATION_MEMORY_SHORT: (b) => (b.load.memory = { availableBytes: 2 ** 30, pressurePercent: null }),
  DESTINATION_LACKS_DATASTORE: (b) => (b.facts.datastores = []),
  DESTINATION_LEASES_UNAVAILABLE: (b) =>
    (b.load.datastores = first(b.load.datastores, {
      leases: { state: "unavailable", reason: "sanlock does not run", watchdog: false },
    })),
  DESTINATION_LACKS_NETWORK: (b) => (b.facts.portGroups = []),
  MIGRATION_NETWORK_MISSING: (b) => {
    b.facts.migration = null;
    b.facts.migrationSettings = null;
  },
};

test("a VM may move between two hosts that are alike", () => {
  expect(checkMove(facts(() => undefined))).toEqual([]);
});

test("whatever is wrong is reported, all of it at once, with host and remedy", () => {
  fc.assert(
    fc.property(fc.subarray(Object.keys(faults)), (codes) => {
      const findings = checkMove(
        facts((f) => {
          for (const code of codes) faults[code]?.(f);
        }),
      );
      expect(findings.map(({ code }) => code).sort()).toEqual([...codes].sort());
      expect(mayMove(findings)).toBe(codes.length === 0);
      for (const finding of findings) {
        expect(finding.message).toContain("b");
        expect(finding.remedy).not.toBe("");
      }
    }),
  );
});

test("a paused VM goes only to an agent that keeps it paused; one that runs goes to both", () => {
  const common = facts(() => undefined);
  const codesFor = (state: "running" | "paused", newest: number) =>
    checkMove({
      ...common,
      runtime: { ...runtime, state, pauseReason: state === "paused" ? "io-error" : null },
      destination: {
        ...common.destination,
        agent: { software: "0.0.9", protocol: { oldest: 1, newest } },
      },
    });
  expect(codesFor("running", 1)).toEqual([]);
  expect(codesFor("paused", 2)).toMatchObject([{ code: "VM_MOVES_PAUSED", severity: "warning" }]);
  const refused = codesFor("paused", 1);
  expect(refused).toMatchObject([{ code: "DESTINATION_RESUMES_PAUSED", severity: "error" }]);
  expect(refused[0]?.remedy).toContain("Upgrade the agent of host b");
});

const codes = (change: Change) => checkMove(facts(change)).map(({ code }) => code);

test("a VM whose IP addresses are limited goes only where they are limited, too", () => {
  const nics = vm.nics.map((nic) => ({ ...nic, addresses: ["10.0.0.5"] }));
  const to = (portSecurityProblem: string | null | undefined) =>
    checkMove({ ...facts((b) => (b.facts.portSecurityProblem = portSecurityProblem)), vm: { ...vm, nics } });
  expect(to(null)).toEqual([]);
  expect(to("nft is not installed")).toMatchObject([{ code: "NETWORK_FILTER_MISSING", severity: "error" }]);
  expect(to(undefined)).toMatchObject([{ code: "NETWORK_FILTER_MISSING" }]);
});

test("each further requirement has its own finding", () => {
  expect(
    codes(
      ({ facts: b }) =>
        (b.datastores = first(b.datastores, { id: "44444444-4444-4444-8444-444444444444" as never })),
    ),
  ).toEqual(["DATASTORE_NOT_THE_SAME"]);
  expect(codes(({ facts: b }) => (b.qemu.cpuModels = []))).toEqual(["DESTINATION_CPU_UNKNOWN"]);
  expect(codes(({ facts: b }) => (b.portGroups = first(b.portGroups, { uplink: null })))).toEqual([
    "NETWORK_INTERNAL",
  ]);
  expect(
    codes(({ facts: b }) => (b.migration = { address: "10.0.0.1", link: { ...link, bitsPerSecond: 1e8 } })),
  ).toEqual(["MIGRATION_NETWORK_SLOW"]);
});

test("each way in which a port group does not lead outside has its own code, and names the bridge or the uplink", () => {
  const office = { name: "office", bridge: "br0", uplinkUp: false };
  const states = {
    bridgeOff: ["NETWORK_BRIDGE_OFF", "br0"],
    uplinkMissing: ["NETWORK_UPLINK_MISSING", "eth0"],
    uplinkNotInBridge: ["NETWORK_UPLINK_ELSEWHERE", "not a port of its bridge br0"],
    uplinkOff: ["NETWORK_UPLINK_OFF", "eth0"],
    uplinkWithoutCarrier: ["NETWORK_LINK_DOWN", "no carrier"],
  } as const;
  for (const [state, [code, words]] of Object.entries(states)) {
    const [found, ...others] = checkMove(
      facts(({ load }) => (load.portGroups = [{ ...office, state: state as PortGroupState }])),
    );
    expect(found).toMatchObject({ code, host: "b", severity: "error" });
    expect(found?.message).toContain(words);
    expect(others).toEqual([]);
  }
  const gone = facts((b) => {
    b.facts.portGroups = [];
    b.load.portGroups = [{ ...office, state: "bridgeMissing" }];
  });
  expect(checkMove(gone).map(({ code }) => code)).toEqual(["NETWORK_WITHOUT_BRIDGE"]);
  // An earlier version's agent tells only that it is not up.
  expect(codes(({ load }) => (load.portGroups = [{ name: "office", uplinkUp: false }]))).toEqual([
    "NETWORK_LINK_UNDETERMINED",
  ]);
});

test("what is wrong with a network is a warning where the VM's NICs in it are disconnected, unless one is connected", () => {
  const severities = (connected: readonly boolean[]) => {
    const nics = connected.map((isUp, index) => ({
      ...{ portGroup: "office", mac: `52:54:00:00:00:0${String(index)}` },
      ...(isUp ? {} : { connected: false as const }),
    }));
    const asked = facts(({ facts: b }) => {
      b.portGroups = [];
      b.abilities = ["devices"];
    });
    return checkMove({ ...asked, vm: { ...vm, nics } }).map(({ code, severity }) => `${severity} ${code}`);
  };
  expect(severities([true, true])).toEqual(["error DESTINATION_LACKS_NETWORK"]);
  expect(severities([false, true])).toEqual(["error DESTINATION_LACKS_NETWORK"]);
  expect(severities([false, false])).toEqual(["warning DESTINATION_LACKS_NETWORK"]);
});

test("a VM with devices at places of their own goes only where the agent knows of them", () => {
  const asked = (abilities: string[], pciePorts?: number): MoveFacts => ({
    ...facts(({ facts: b }) => (b.abilities = abilities)),
    vm: { ...vm, ...(pciePorts === undefined ? {} : { pciePorts }) },
  });
  expect(checkMove(asked([]))).toEqual([]);
  expect(checkMove(asked([], 8))).toMatchObject([{ code: "AGENT_CANNOT", severity: "error" }]);
  expect(checkMove(asked(["devices"], 8))).toEqual([]);
});

test("a VM with tags or notes goes only where the agent knows of them", () => {
  const asked = (abilities: string[], words: object): MoveFacts => ({
    ...facts(({ facts: b }) => (b.abilities = abilities)),
    vm: { ...vm, ...words },
  });
  for (const words of [{ tags: ["prod"] }, { notes: "Ada's" }]) {
    expect(checkMove(asked([], words))).toMatchObject([{ code: "AGENT_CANNOT", severity: "error" }]);
    expect(checkMove(asked(["annotations"], words))).toEqual([]);
  }
});

test("a VM with a CPU topology, a boot order, a balloon, a maximum of memory or linked disks goes only where the agent knows of it, at rest, too", () => {
  const asked = (abilities: string[], more: object): MoveFacts => ({
    ...facts(({ facts: b }) => (b.abilities = abilities)),
    vm: { ...vm, ...more },
  });
  const topology = { sockets: vm.vcpus, cores: 1, threads: 1 };
  for (const judge of [checkMove, checkRelocation])
    for (const [ability, more] of [
      ["cpuTopology", { topology }],
      ["bootOrder", { bootOrder: ["disk:root"] }],
      ["balloon", { balloon: {} }],
      ["memoryHotPlug", { maxMemoryMib: vm.memoryMib + 128 }],
      [
        "linkedDisks",
        {
          disks: vm.disks.map((disk) => ({
            ...disk,
            base: { path: "web-1/root.base.qcow2", format: "qcow2" },
          })),
        },
      ],
    ] as const) {
      expect(judge(asked([], more))).toMatchObject([{ code: "AGENT_CANNOT", severity: "error" }]);
      expect(judge(asked([ability], more))).toEqual([]);
    }
});

test("a VM on huge pages goes where so many are free; ordinary memory is not needed for it", () => {
  const on = (free: number | null): MoveFacts => {
    const asked = facts(({ facts: b, load }) => {
      b.abilities = ["guestMemory"];
      b.memory = { ...b.memory, hugepages: [{ size: "2M", pages: 100 }] };
      load.memory = {
        ...{ availableBytes: qemuOverheadBytes, pressurePercent: null },
        ...(free === null ? {} : { hugepages: [{ size: "2M", freePages: free }] }),
      };
    });
    return { ...asked, vm: { ...vm, memoryMib: 64, hugepages: "2M" } };
  };
  expect(checkMove(on(32))).toEqual([]);
  expect(checkMove(on(31))).toMatchObject([
    { code: "HUGEPAGES_SHORT", severity: "error", details: { neededPages: 32, freePages: 31 } },
  ]);
  expect(checkMove(on(null))).toMatchObject([{ code: "HUGEPAGES_SHORT", details: { freePages: 0 } }]);
  expect(checkRelocation(on(0))).toEqual([]);
  const more: MoveFacts = { ...on(100), vm: { ...vm, memoryMib: 512, hugepages: "2M" } };
  expect(checkRelocation(more)).toMatchObject([{ code: "HUGEPAGES_SHORT", severity: "warning" }]);
});

test("memory that is bound to a host's NUMA nodes forbids a move while the VM runs; the guest's own nodes do not", () => {
  const asked = (node: object, abilities = ["guestMemory"]): MoveFacts => ({
    ...facts(({ facts: b }) => (b.abilities = abilities)),
    vm: { ...vm, numa: [{ vcpus: vm.vcpus, memoryMib: vm.memoryMib, ...node }] },
  });
  expect(checkMove(asked({}))).toEqual([]);
  expect(checkMove(asked({}, []))).toMatchObject([{ code: "AGENT_CANNOT", severity: "error" }]);
  const bound = { code: "VM_NUMA_BINDING", vsphereFault: "AffinityConfigured" };
  expect(checkMove(asked({ hostNode: 1 }))).toMatchObject([{ ...bound, severity: "error" }]);
  expect(checkRelocation(asked({ hostNode: 1 }))).toMatchObject([{ ...bound, severity: "warning" }]);
});

test("a VM whose QEMU could end itself while it sends its memory does not move while it runs", () => {
  const asked = (memoryOutOfOrder?: true): MoveFacts => {
    const like = facts(() => undefined);
    return { ...like, runtime: { ...like.runtime, ...(memoryOutOfOrder && { memoryOutOfOrder }) } };
  };
  expect(checkMove(asked(true))).toMatchObject([{ code: "VM_MEMORY_ORDER", severity: "error" }]);
  expect(checkMove(asked())).toEqual([]);
  expect(checkRelocation(asked(true))).toEqual([]);
});

test("a VM with a device of its host stays there while it runs, and starts elsewhere only where there is such a device", () => {
  const devices = [
    { name: "gpu", pci: "0000:01:00.0", id: "10de:1eb8" },
    { name: "dongle", usb: "0529:0001" },
  ];
  const asked = (there: boolean): MoveFacts => ({
    ...facts(({ facts: b }) => {
      if (there)
        b.hostDevices = {
          pci: [{ address: "0000:01:00.0", id: "10de:1eb8", group: 1, driver: "vfio-pci" }],
          usb: [{ id: "0529:0001", bus: 1, device: 2 }],
        };
    }),
    vm: { ...vm, hostDevices: devices },
  });
  const tied = { code: "HOST_DEVICE_TIED", vsphereFault: "DisallowedMigrationDeviceAttached" };
  const findings = checkMove(asked(true));
  expect(findings).toMatchObject([tied, tied].map((one) => ({ ...one, severity: "error" })));
  expect(findings.map(({ remedy }) => remedy.includes("Stop the VM"))).toEqual([true, false]);
  expect(fixesOf(findings)).toEqual([]);
  expect(checkRelocation(asked(true))).toMatchObject(
    [tied, tied].map((one) => ({ ...one, severity: "warning" })),
  );
  const missing = { code: "HOST_DEVICE_MISSING", severity: "error" };
  expect(checkRelocation(asked(false))).toMatchObject([missing, missing]);
});

test("a smaller MTU at the destination is refused, a larger one is a warning", () => {
  const withMtu = (mtu: number) =>
    checkMove(facts(({ facts: b }) => (b.portGroups = first(b.portGroups, { mtu }))));
  expect(withMtu(1400)).toMatchObject([{ code: "NETWORK_MTU_SMALLER", severity: "error" }]);
  expect(withMtu(9000)).toMatchObject([{ code: "NETWORK_MTU_LARGER", severity: "warning" }]);
});

test("a move between hosts that do not send to each other through the port group's tunnel is refused", () => {
  const tunnel = (local: string, peers: string[], vni = 100) => ({ vni, local, peers });
  const between = (here: object, there: object) => {
    const all = facts(({ facts: b }) => (b.portGroups = first(b.portGroups, { tunnel: there as never })));
    const source = { ...all.source, portGroups: first(all.source.portGroups, { tunnel: here as never }) };
    return checkMove({ ...all, source }).map(({ code }) => code);
  };
  const [a, b] = ["10.0.2.11", "10.0.2.12"];
  expect(between(tunnel(a, [b]), tunnel(b, [a]))).toEqual([]);
  for (const [here, there] of [
    [tunnel(a, []), tunnel(b, [a])],
    [tunnel(a, [b]), tunnel(b, [])],
    [tunnel(a, [b]), tunnel(b, [a], 101)],
  ] as const)
    expect(between(here, there)).toEqual(["NETWORK_TUNNEL_MISSING"]);
});

test("another VLAN at the destination is refused, where both are known", () => {
  const definition = (vlan: number) => ({ name: "office", switch: "lan", vlan, allowForgedTransmits: false });
  const between = (here: number | null, there: number | null) => {
    const all = facts(({ facts: b }) => {
      if (there !== null) b.portGroups = first(b.portGroups, { definition: definition(there) });
    });
    const of = here === null ? {} : { definition: definition(here) };
    const source = { ...all.source, portGroups: first(all.source.portGroups, of) };
    return checkMove({ ...all, source }).map(({ code }) => code);
  };
  expect(between(20, 30)).toEqual(["NETWORK_VLAN_DIFFERS"]);
  for (const [here, there] of [
    [20, 20],
    [20, null],
    [null, 20],
  ] as const)
    expect(between(here, there)).toEqual([]);
});

test("a migration address that no interface has is another fault than one that was never configured", () => {
  const settings = { address: "10.0.0.1", ports: { first: 49_152, last: 49_215 } };
  const without = (migrationSettings: HostFacts["migrationSettings"]) =>
    checkMove(facts(({ facts: b }) => Object.assign(b, { migration: null, migrationSettings })));
  expect(without(null)).toMatchObject([{ code: "MIGRATION_NETWORK_MISSING" }]);
  expect(without(settings)).toMatchObject([{ code: "MIGRATION_ADDRESS_ABSENT" }]);
  expect(without(settings)[0]?.message).toContain("has its migration address 10.0.0.1");
  expect(without(undefined)).toMatchObject([{ code: "MIGRATION_ADDRESS_ABSENT" }]);
});

test("a migration link that is off, has no carrier, or is a bridge without a way outside, is refused at either end", () => {
  const down = (carrier: Carrier): HostReport["load"]["links"] => [
    { name: "eth1", up: false, carrier, receivedBytesPerSecond: 0, sentBytesPerSecond: 0 },
  ];
  expect(codes(({ load }) => (load.links = down("off")))).toEqual(["MIGRATION_LINK_OFF"]);
  expect(codes(({ load }) => (load.links = down("none")))).toEqual(["MIGRATION_LINK_NO_CARRIER"]);
  expect(codes(({ load }) => (load.links = down("noPort")))).toEqual(["MIGRATION_BRIDGE_NO_PORT"]);
  expect(codes(({ load }) => (load.links = null))).toEqual([]); // not known: the way itself is tried
  const cut = checkMove({
    ...facts(() => undefined),
    sourceLoad: hostReport("a", ({ load }) => (load.links = down("none"))).load,
  });
  expect(cut).toMatchObject([{ code: "MIGRATION_LINK_NO_CARRIER", host: "a" }]);
});

test("what the destination could not read is reported with the reason, and never taken for zero or for well", () => {
  const findings = checkMove(
    facts(({ load: b }) => {
      b.memory = null;
      b.portGroups = null;
      b.datastores = first(b.datastores, { space: null, reason: "it did not answer within 3 s" });
      b.failures = [
        { part: "memory", reason: "/proc/meminfo has no MemAvailable" },
        { part: "portGroups", reason: "ip is not installed" },
      ];
    }),
  );
  expect(findings.map(({ code, message }) => [code, message])).toEqual([
    [
      "DESTINATION_MEMORY_UNDETERMINED",
      "How much memory host b has available is not known: /proc/meminfo has no MemAvailable.",
    ],
    ["DATASTORE_UNAVAILABLE", "Datastore shared cannot be used on host b: it did not answer within 3 s."],
    [
      "NETWORK_LINK_UNDETERMINED",
      "Whether port group office on host b leads outside over its uplink eth0 is not known: ip is not installed.",
    ],
  ]);
  expect(mayMove(findings)).toBe(false);
});

test("a stopped VM may move although its old host never reported", () => {
  const { destination } = facts(() => undefined);
  expect(checkRelocation({ vm, source: null, destination })).toEqual([]);
});

test("a host that does not answer is the only finding, and a stopped VM needs no memory there", () => {
  const silent = {
    ...facts(() => undefined),
    destination: { name: "b", takesVms: true, report: null, reason: "it is off" },
  };
  expect(checkMove(silent)).toMatchObject([{ code: "DESTINATION_UNREACHABLE", host: "b" }]);
  expect(checkRelocation(facts(({ load: b }) => (b.memory = null)))).toEqual([]);
  const refusal = finding("DESTINATION_NOT_TRUSTED", { host: "b", reason: "its certificate has ended" });
  const foreign = { ...silent, destination: { ...silent.destination, refusal } };
  expect(checkMove(foreign).map(({ code }) => code)).toEqual(["DESTINATION_NOT_TRUSTED"]);
});

test("a host in maintenance takes no VM, running or not, and whether it answers or not", () => {
  const there = { ...facts(() => undefined).destination, takesVms: false };
  const closed = { ...facts(() => undefined), destination: there };
  expect(checkMove(closed).map(({ code }) => code)).toEqual(["DESTINATION_IN_MAINTENANCE"]);
  expect(checkRelocation(closed).map(({ code }) => code)).toEqual(["DESTINATION_IN_MAINTENANCE"]);
  const silent = { ...closed, destination: { ...there, report: null, reason: "it is off" } };
  expect(checkMove(silent).map(({ code }) => code)).toEqual([
    "DESTINATION_UNREACHABLE",
    "DESTINATION_IN_MAINTENANCE",
  ]);
});

test("a VM whose QEMU has a uid of its own goes only where it has the same one", () => {
  const vmUids = { first: 2_010_000_000, count: 100_000_000 };
  const contained = { vmUids, vmUidsProblem: null, limitsProblem: null, appArmorProblem: null };
  const findings = (target: HostReport["facts"]["containment"], sharedBecause: string | null = null) => {
    const moving = facts(({ facts: b }) => (b.containment = target));
    return checkMove({
      ...moving,
      source: { ...moving.source, containment: contained },
      runtime: { ...runtime, user: { uid: 2_010_000_007, sharedBecause } },
    }).map(({ code, message }) => [code, message]);
  };
  expect(findings(contained)).toEqual([]);
  expect(findings(undefined)).toEqual([
    [
      "DESTINATION_WITHOUT_VM_UIDS",
      "The VM's QEMU has a uid of its own (2010000007), as which host b cannot run it: its agent is of an earlier version.",
    ],
  ]);
  expect(findings({ ...contained, vmUidsProblem: "uids 1 to 2 are not mapped" })).toMatchObject([
    ["DESTINATION_WITHOUT_VM_UIDS", expect.stringContaining("uids 1 to 2 are not mapped.")],
  ]);
  expect(findings({ ...contained, vmUids: { ...vmUids, first: 3_000_000_000 } })).toEqual([
    [
      "DESTINATION_VM_UIDS_DIFFER",
      "Hosts b and a give VMs different uids: 100000000 from 3000000000, and 100000000 from 2010000000.",
    ],
  ]);
  // The one that VMs share there is tried on the disks themselves.
  expect(findings(undefined, "the storage does not allow another")).toEqual([]);
});

/** A VM with a drive, at a host whose datastore `local` is its own. */
const withDrive = (datastore: string, connected: boolean, change: Change = () => undefined): MoveFacts => {
  const source = hostReport("a").facts;
  source.datastores = [...source.datastores, ...first(source.datastores, { name: "local", shared: false })];
  const drives = [
    { name: "cd0", medium: { datastore, path: "tools.iso" }, connected },
    { name: "cd1", medium: null, connected: false },
  ];
  return { ...facts(change), source, vm: { ...vm, cdroms: drives } };
};

test("a medium in a drive forbids a live move where the destination cannot reach it, and else is no more than a warning", () => {
  const found = (asked: MoveFacts) => checkMove(asked).map(({ code, severity }) => `${severity} ${code}`);
  const without: Change = (b) =>
    (b.facts.datastores = b.facts.datastores.filter(({ name }) => name !== "isos"));
  expect(found(withDrive("shared", true))).toEqual([]);
  expect(found(withDrive("local", true))).toEqual(["error CDROM_HOST_LOCAL"]);
  expect(found(withDrive("local", false))).toEqual(["warning CDROM_HOST_LOCAL"]);
  expect(found(withDrive("isos", true, without))).toEqual(["error CDROM_UNREACHABLE"]);
  expect(found(withDrive("isos", false, without))).toEqual(["warning CDROM_UNREACHABLE"]);
  const atRest = checkRelocation(withDrive("local", true));
  expect(atRest.map(({ code, severity }) => `${severity} ${code}`)).toEqual(["warning CDROM_HOST_LOCAL"]);
});

test("CPU affinity forbids a live move; at rest its owner is warned", () => {
  const bound = { ...facts(() => undefined), vm: { ...vm, cpuAffinity: [0, 1] } };
  expect(checkMove(bound)).toMatchObject([
    { code: "VM_CPU_AFFINITY", severity: "error", object: "VM web-1", vsphereFault: "AffinityConfigured" },
  ]);
  expect(checkRelocation(bound)).toMatchObject([{ code: "VM_CPU_AFFINITY", severity: "warning" }]);
});

test("hosts whose clocks are apart are told with both times, whichever of them is the server's; the VM may move", () => {
  const ownAt = "2026-11-25T12:00:00.000Z";
  const reading = (aheadMs: number) => ({
    ...{ ownAt, aheadMs, otherAt: new Date(Date.parse(ownAt) + aheadMs).toISOString() },
  });
  const between = (source: number, destination: number) => {
    const given = facts((b) => (b.clock = reading(destination)));
    return checkMove({ ...given, sourceClock: reading(source) });
  };
  const [found, ...more] = between(-60_000, 0);
  expect(more).toEqual([]);
  expect(found).toMatchObject({
    code: "HOSTS_CLOCKS_APART",
    severity: "warning",
    message:
      "The clocks of hosts a and b are 60 s apart: that of a read 2026-11-25T11:59:00.000Z when that of b read 2026-11-25T12:00:00.000Z.",
  });
  expect(between(0, 60_000).map(({ code }) => code)).toEqual(["HOSTS_CLOCKS_APART"]);
  // Both are wrong in the same way, which is told as an alarm of each.
  expect(between(-60_000, -60_000)).toEqual([]);
  expect(between(0, 29_000)).toEqual([]);
});

test("a VM with UEFI goes where its firmware is: for a live move of the same size, and with Secure Boot where that is", () => {
  const build = { secureBoot: false, codeBytes: 3_653_632, varsBytes: 540_672 };
  const efi = (secureBoot: boolean) => ({ ...vm, firmware: { type: "uefi" as const, secureBoot } });
  const codes = (secureBoot: boolean, there: HostFacts["uefi"]) => {
    const given = facts((b) => (b.facts.uefi = there));
    const moved = { ...given, vm: efi(secureBoot), source: { ...given.source, uefi: [build] } };
    return [checkMove(moved), checkRelocation(moved)].map((found) => found.map(({ code }) => code));
  };
  expect(codes(false, [build])).toEqual([[], []]);
  expect(codes(false, undefined)).toEqual([["UEFI_FIRMWARE_MISSING"], ["UEFI_FIRMWARE_MISSING"]]);
  expect(codes(true, [build])).toEqual([["UEFI_FIRMWARE_MISSING"], ["UEFI_FIRMWARE_MISSING"]]);
  expect(codes(false, [{ ...build, varsBytes: 131_072 }])).toEqual([["UEFI_FIRMWARE_DIFFERS"], []]);
});

test("a QEMU that is not older and does not have the machine type is not told as older", () => {
  const codes = (machine: string, version: string) =>
    checkMove({
      ...facts((b) => {
        b.facts.qemu.version = version;
        b.facts.qemu.machines = ["pc-q35-10.1"];
      }),
      vm: { ...vm, machine },
    }).map(({ code }) => code);
  expect(codes("pc-q35-10.1", "10.1.0")).toEqual([]);
  expect(codes("pc-q35-2.4", "10.1.0")).toEqual(["DESTINATION_MACHINE_UNKNOWN"]);
  expect(codes("pc-q35-rhel9.4.0", "10.1.0")).toEqual(["DESTINATION_MACHINE_UNKNOWN"]);
  expect(codes("pc-q35-10.2", "10.1.4")).toEqual(["DESTINATION_QEMU_OLDER"]);
});

test("a host whose configuration takes the shared datastore for its own is told so, and not the VM's disks as local", () => {
  const [found, ...more] = checkMove(
    facts((b) => (b.facts.datastores = first(b.facts.datastores, { shared: false }))),
  );
  expect(more).toEqual([]);
  expect(found).toMatchObject({ code: "DATASTORE_NOT_SHARED_THERE", host: "b" });
});

test("under KVM a guest with an invariant TSC does not move while it runs, and an emulated one does", () => {
  const { features: _, ...cpu } = vm.cpu;
  const promised = { ...vm, cpu: { ...cpu, features: ["invtsc"] } };
  const both = facts((b) => b.facts.qemu.availableFeatures.push("invtsc"));
  expect(checkMove({ ...both, vm: promised })).toMatchObject([
    { code: "VM_CLOCK_NOT_MOVABLE", severity: "error" },
  ]);
  const emulated = { ...both, vm: promised, runtime: { ...runtime, accelerator: "tcg" as const } };
  expect(checkMove(emulated).map(({ code }) => code)).not.toContain("VM_CLOCK_NOT_MOVABLE");
  expect(checkRelocation({ ...both, vm: promised })).toEqual([]);
});

test("snapshots move to an agent that knows them; what a revert there would lack is a warning", () => {
  const { version: _v, id: _i, name: _n, datastore: _d, ...then } = vm;
  const snapshot = {
    ...{ id: "33333333-3333-4333-8333-333333333333", name: "before", createdAt: "2026-01-01T00:00:00.000Z" },
    ...{ parent: null, memory: { accelerator: "kvm" as const, qemuVersion: "99.0.1" } },
    vm: { ...then, machine: "pc-q35-9.9", nics: [{ portGroup: "old", mac: "52:54:00:00:00:02" }] },
  };
  const having = { ...vm, snapshots: [snapshot] };
  expect(checkMove({ ...facts(() => undefined), vm: having })).toMatchObject([
    { code: "AGENT_CANNOT", severity: "error", host: "b" },
  ]);
  const able = facts((b) => (b.facts.abilities = ["snapshots"]));
  for (const findings of [checkMove({ ...able, vm: having }), checkRelocation({ ...able, vm: having })]) {
    expect(findings).toMatchObject([{ code: "SNAPSHOT_LACKS_THERE", severity: "warning" }]);
    expect(findings[0]?.details).toMatchObject({ lacking: ["machine type pc-q35-9.9", "port group old"] });
    expect(mayMove(findings)).toBe(true);
  }
  const machine = { ...snapshot, vm: { ...then } };
  const [newer] = checkMove({ ...able, vm: { ...vm, snapshots: [machine] } });
  expect(newer?.message).toMatch(/written by QEMU 99\.0\.1/);
  const unfinished = { ...vm, snapshots: [{ ...snapshot, unfinished: "making" as const }] };
  expect(checkMove({ ...able, vm: unfinished })).toEqual([]);
});
