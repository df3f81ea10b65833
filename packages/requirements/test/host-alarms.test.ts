/** Alarms of a host: each is raised exactly while its condition holds. */
import { randomUUID } from "node:crypto";
import { vmViewSchema, type HostLoad } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { hostAlarms } from "../src/index.ts";
import { cpuReport } from "./cpu-report.ts";
import { hostReport } from "./host-report.ts";

type Leases = HostLoad["datastores"][number]["leases"];
const anyLeases = fc.option(
  fc.record({
    state: fc.constantFrom("joining" as const, "joined" as const, "unavailable" as const),
    reason: fc.constant("its storage is away."),
    watchdog: fc.boolean(),
  }),
  { nil: null },
);

test("whatever its datastores are: each that has no leases is reported, and those that no watchdog guards once together", () => {
  fc.assert(
    fc.property(fc.array(anyLeases, { maxLength: 5 }), (all: Leases[]) => {
      const report = hostReport("a", ({ load }) => {
        load.datastores = all.map((leases, index) => ({
          name: `s${String(index)}`,
          space: { totalBytes: 100, freeBytes: 40 },
          reason: null,
          leases,
        }));
      });
      const alarms = hostAlarms(report, [], null);
      const named = (holds: (leases: NonNullable<Leases>) => boolean) =>
        all.flatMap((leases, index) => (leases !== null && holds(leases) ? [`s${String(index)}`] : []));
      const lost = alarms.filter(({ code }) => code === "DESTINATION_LEASES_UNAVAILABLE");
      expect(lost.map(({ details }) => details.datastore)).toEqual(
        named(({ state }) => state === "unavailable"),
      );
      const unguarded = alarms.filter(({ code }) => code === "HOST_WITHOUT_WATCHDOG");
      expect(unguarded.flatMap(({ details }) => details.datastores)).toEqual(
        named(({ state, watchdog }) => state === "joined" && !watchdog),
      );
      expect(unguarded.length).toBeLessThanOrEqual(1);
      expect(alarms).toHaveLength(lost.length + unguarded.length);
    }),
  );
});

test("a VM that is set aside is an alarm with its reason and its id", () => {
  const id = "22222222-2222-4222-8222-222222222222" as never;
  const report = hostReport("a", ({ facts }) => {
    facts.vmsSetAside = [{ id, name: "web-1", reason: "runtime.json is no JSON." }];
  });
  const [alarm, ...others] = hostAlarms(report, [], null);
  expect(others).toEqual([]);
  expect(alarm).toMatchObject({
    ...{ code: "VM_SET_ASIDE", severity: "error" },
    message: "VM web-1 may run on host a and cannot be managed: runtime.json is no JSON.",
    remedy: expect.stringContaining(`-uuid ${String(id)}`) as string,
  });
});

test("VMs that run a QEMU of before an upgrade are named once together; an agent that does not tell raises nothing", () => {
  const running = (name: string, qemuReplaced?: boolean | null) => ({
    ...{ id: randomUUID() as never, name, state: "running" as const, pid: 1, accelerator: "kvm" as const },
    ...{
      startedAt: null,
      memoryMib: 512,
      pauseReason: null,
      usedCpus: null,
      residentBytes: null,
      qemuReplaced,
    },
  });
  const report = hostReport("a", ({ load }) => {
    load.vms = [
      running("web-2", true),
      running("new", false),
      running("web-1", true),
      running("old-agent"),
      running("x", null),
    ];
  });
  const alarms = hostAlarms(report, [], null).filter(({ code }) => code === "VM_QEMU_OUTDATED");
  expect(alarms).toHaveLength(1);
  expect(alarms[0]).toMatchObject({ severity: "warning", details: { vms: ["web-1", "web-2"], host: "a" } });
  expect(alarms[0]?.remedy).toContain("godwit host renew-qemu a");
});

/** Features that tell CPUs apart: what every CPU has, like sse2, cannot be lost. */
const seen = ["aes", "avx2", "popcnt", "sse4.1", "sse4.2"];
const vm = (features: readonly string[]) =>
  vmViewSchema.parse({
    id: "22222222-2222-4222-8222-222222222222",
    name: "web-1",
    state: "running",
    host: "a",
    seenAt: "2026-11-25T00:00:00Z",
    config: {
      version: 1,
      id: "22222222-2222-4222-8222-222222222222",
      name: "web-1",
      datastore: "shared",
      memoryMib: 64,
      vcpus: 1,
      cpu: { model: "Nehalem-v1", features },
      machine: "pc-q35-7.2",
      disks: [],
      nics: [],
    },
  });

test("a host that lost features is alarming exactly while a VM that sees one of them has a process there", () => {
  fc.assert(
    fc.property(fc.subarray(seen), fc.subarray(seen), fc.boolean(), (hardware, guest, runs) => {
      const one = vm(guest);
      const report = hostReport("a", ({ facts, load }) => {
        facts.cpu.report = cpuReport(hardware);
        const runtime = {
          id: one.id,
          name: one.name,
          state: "running" as const,
          accelerator: "kvm" as const,
        };
        const usage = { startedAt: null, memoryMib: 64, pauseReason: null };
        const used = { usedCpus: null, residentBytes: null };
        load.vms = [{ ...runtime, ...usage, ...used, pid: runs ? 7 : null }];
      });
      const lost = guest.filter((name) => !hardware.includes(name));
      expect(hostAlarms(report, [one], null).length > 0).toBe(runs && lost.length > 0);
    }),
  );
});

test("storage that was unmounted under a host is told with the VMs that run from there", () => {
  const [here, elsewhere] = [vm([]), { ...vm([]), name: "web-2" }];
  const alarms = (space: HostLoad["datastores"][number]["space"]) => {
    const report = hostReport("a", ({ load }) => {
      const reason = "/srv is not marked as a datastore: its storage is not mounted there, or it is new";
      load.datastores = [{ name: "shared", space, reason: space === null ? reason : null, leases: null }];
      const runtime = {
        id: here.id,
        name: here.name,
        state: "running" as const,
        accelerator: "kvm" as const,
      };
      load.vms = [
        {
          ...{ ...runtime, startedAt: null, memoryMib: 64, usedCpus: null, residentBytes: null },
          ...{ pid: 7, pauseReason: null },
        },
      ];
    });
    const other = { ...elsewhere, config: { ...elsewhere.config, datastore: "local" } };
    return hostAlarms(report, [here, other], null);
  };
  expect(alarms({ totalBytes: 100, freeBytes: 40 })).toEqual([]);
  expect(alarms(null)).toMatchObject([
    {
      code: "DATASTORE_UNAVAILABLE",
      message: expect.stringMatching(
        /not mounted there, or it is new; running from it there: web-1\.$/,
      ) as string,
      remedy: expect.stringContaining("godwit datastore init shared") as string,
    },
  ]);
});

test("guests that stopped by themselves are alarms, with the datastore that is full; what somebody wished for is none", () => {
  const guest = vm([]);
  const reasons = ["user", "suspended", "shutdown", "io-error", "no-space", "guest-panicked"] as const;
  for (const reason of [null, ...reasons]) {
    const report = hostReport("a", ({ load }) => {
      const runtime = {
        id: guest.id,
        name: "web-1",
        state: "paused",
        accelerator: "kvm",
        startedAt: null,
      } as const;
      const usage = { memoryMib: 64, usedCpus: null, residentBytes: null, pid: 7 };
      load.vms = [{ ...runtime, ...usage, pauseReason: reason }];
    });
    const alarms = hostAlarms(report, [guest], null);
    const expected =
      reason === "no-space"
        ? ["VM_PAUSED", "DATASTORE_FULL"]
        : reason === "io-error" || reason === "guest-panicked"
          ? ["VM_PAUSED"]
          : [];
    expect({ reason, codes: alarms.map(({ code }) => code) }).toEqual({ reason, codes: expected });
    if (reason === "no-space")
      expect(alarms.map(({ message }) => message)).toEqual([
        "VM web-1 is paused on host a: its datastore is full.",
        "Datastore shared has no room for what web-1 on host a writes: 524288 MiB of 1048576 MiB are free.",
      ]);
  }
});

test("a bond with a card that has no link is an alarm that names it, unless it is switched off or has no cards", () => {
  const of = (ports: { name: string; up: boolean }[], carrier: "up" | "off" = "up") => {
    const report = hostReport("a", ({ load }) => {
      const bond = { mode: "active-backup", ports, active: null };
      load.links = [
        { name: "bond0", up: true, carrier, receivedBytesPerSecond: null, sentBytesPerSecond: null, bond },
      ];
    });
    return hostAlarms(report, [], null).map(({ code, message }) => `${code} ${message}`);
  };
  const [eth1, eth2] = [
    { name: "eth1", up: true },
    { name: "eth2", up: true },
  ];
  expect(of([eth1, eth2])).toEqual([]);
  expect(of([eth1, { ...eth2, up: false }])).toEqual([
    "HOST_BOND_DEGRADED Bond bond0 of host a has 1 of 2 cards without a link: eth2.",
  ]);
  expect([...of([]), ...of([{ ...eth2, up: false }], "off")]).toEqual([]);
});

test("an address that the host which the VM left has not learned is an alarm there, while the VM runs where it went and has it", () => {
  const mac = "52:54:00:00:00:01";
  const nics = [{ portGroup: "office", mac }];
  const guest = vmViewSchema.parse({ ...vm([]), host: "b", config: { ...vm([]).config, nics } });
  const since = "2026-11-24T23:59:50Z";
  const report = hostReport("a", ({ load }) => {
    load.unlearnedMacs = [{ id: guest.id, mac, portGroup: "office", to: "b", since }];
  });
  const codes = (view: typeof guest | null, one = report) =>
    hostAlarms(one, view === null ? [] : [view], null).map(({ code }) => code);
  const [alarm, ...others] = hostAlarms(report, [guest], null);
  expect(others).toEqual([]);
  expect(alarm).toMatchObject({
    ...{ code: "VM_MAC_NOT_LEARNED", severity: "warning" },
    message: `VM web-1 has moved from host a to b, and since ${since} no frame of its MAC address ${mac} has come over port group office to a: switches may still send what is for the VM to a.`,
    remedy: expect.stringContaining("godwit vm announce web-1") as string,
  });
  expect(codes(null)).toEqual([]);
  expect(codes({ ...guest, host: "c" })).toEqual([]);
  expect(codes({ ...guest, host: "a" })).toEqual([]);
  for (const state of ["stopped", "paused", "lost"] as const) expect(codes({ ...guest, state })).toEqual([]);
  for (const other of [
    [],
    [{ portGroup: "web", mac }],
    [{ portGroup: "office", mac, connected: false as const }],
  ])
    expect(codes({ ...guest, config: { ...guest.config, nics: other } })).toEqual([]);
  // It is announced again first.
  const early = hostReport("a", ({ load }) => {
    load.unlearnedMacs = [{ id: guest.id, mac, portGroup: "office", to: "b", since: "2026-11-24T23:59:51Z" }];
  });
  expect(codes(guest, early)).toEqual([]);
});
