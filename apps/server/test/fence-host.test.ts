/** A host is fenced for a VM by programs: what is asked of a living host, when the program runs, and what keeps it from running. */
import { GodwitError, type Lease, type VmView } from "@godwit/contract";
import type { DatastoreRow, HostRow } from "@godwit/store";
import { beforeEach, expect, test } from "vitest";
import { fenceHost, notByProgram, type FenceServices } from "../src/fencing/fence-host.ts";

const vmOf = (name: string, config: object = {}) =>
  ({
    ...{ id: name, name, host: "b", state: "running" },
    config: { datastore: "vms", disks: [{ name: "root" }, { name: "data", datastore: "san" }], ...config },
  }) as unknown as VmView;
const datastores = [
  { name: "vms", shared: true, fenceProgram: "filer" },
  { name: "san", shared: true, fenceProgram: "target" },
  { name: "lun", shared: true, reservations: true },
  { name: "own", shared: false },
] as unknown as DatastoreRow[];
const hostOf = (name: string, { abilities = ["fencePrograms"], reason = null as string | null } = {}) => ({
  name,
  agentUrl: `https://${name}:8444`,
  facts: {
    abilities,
    bootId: `boot-of-${name}`,
    datastores: ["vms", "other"].map((of) => ({ name: of, shared: true })),
  },
  load: { datastores: [{ name: "vms", reason, leases: { state: "joined" } }] },
});

let did: string[];
let hosts: ReturnType<typeof hostOf>[];
let vms: VmView[];
let tasks: object[];
let up: string[];
let isBootKnown: boolean;
let fresh: string[];
let needed: string[];
let revoking: () => void;
let fails: Record<string, Error | undefined>;

beforeEach(() => {
  [did, hosts, vms, tasks, up] = [
    [],
    [hostOf("a"), hostOf("b"), hostOf("c")],
    [vmOf("web-1")],
    [],
    ["a", "c"],
  ];
  [isBootKnown, fresh, needed, fails] = [true, [], ["san", "vms"], {}];
  revoking = () => undefined;
});

const link = (name: string) => ({
  name,
  isBootKnown,
  unreachable: (error: unknown) => error,
  agent: {
    call: (operation: string, { body, params }: { body?: object; params: { name: string } }) => {
      if (operation === "vmLeaseShow") {
        const holder = {
          host: "b",
          mode: "EX",
          since: null,
          fresh: fresh.includes(params.name),
          freeInMs: null,
        };
        return Promise.resolve({
          vmId: params.name,
          version: 1,
          holders: [holder],
          fenced: [],
        } as unknown as Lease);
      }
      did.push(`${operation} ${name} ${JSON.stringify(body)}`);
      const failure = fails[operation] ?? fails[`${operation} ${name}`];
      if (failure !== undefined) return Promise.reject(failure);
      if (operation === "vmLeaseRevoke") revoking();
      return Promise.resolve(operation === "vmLeaseRevoke" ? { lease: 3, datastores: needed } : {});
    },
  },
});
const services = {
  store: {
    datastores: { list: () => Promise.resolve(datastores) },
    tasks: { unfinished: () => Promise.resolve(tasks) },
    hosts: {
      list: () => Promise.resolve(hosts as unknown as HostRow[]),
      find: (name: string) => Promise.resolve(hosts.find((host) => host.name === name) ?? null),
    },
    vms: {
      list: () => Promise.resolve(vms),
      leaseBroken: (id: string, host: string) => {
        did.push(`broken ${id} ${host}`);
        return Promise.resolve();
      },
    },
  },
  hosts: { isUp: (name: string) => up.includes(name), of: link },
  access: {
    revoke: (datastore: string, host: string, bootId: string | null) => {
      did.push(`revoke ${datastore} ${host} ${String(bootId)}`);
      const failure = fails[datastore];
      return failure === undefined ? Promise.resolve() : Promise.reject(failure);
    },
  },
} as unknown as FenceServices;
const fence = async (vm = vmOf("web-1")) => {
  await fenceHost(services, vm, "b");
};
const asked = 'vmLeaseRevoke a {"host":"b","programs":["vms","san"]}';

test("the lease is revoked, then the programs run, then the living host goes on with that lease", async () => {
  await fence();
  expect(did).toEqual([
    asked,
    ...["revoke san b boot-of-b", "revoke vms b boot-of-b"],
    'vmLeaseFence a {"host":"b","revoked":{"lease":3,"datastores":["san","vms"]}}',
    "broken web-1 b",
  ]);
});

test("a boot that was not told is not known", async () => {
  isBootKnown = false;
  await fence();
  expect(did).toContain("revoke san b null");
});

test("a program that fails ends it: no lease is broken, and no other host is asked", async () => {
  fails = { san: new Error("the target says no") };
  await expect(fence()).rejects.toMatchObject({
    code: "HOST_NOT_FENCED",
    message: expect.stringContaining("the target says no") as string,
  });
  expect(did.filter((line) => /vmLeaseFence|broken/.test(line))).toEqual([]);
  expect(did.filter((line) => line.startsWith("vmLeaseRevoke"))).toHaveLength(1);
});

test("no program runs where the lease could not be revoked, the host answers again, or more is written than was looked at", async () => {
  const ran = () => did.filter((line) => line.startsWith("revoke "));
  fails = { vmLeaseRevoke: GodwitError.of("LEASE_HOLDER_ALIVE", { vm: "web-1", host: "b" }) };
  await expect(fence()).rejects.toMatchObject({ code: "LEASE_HOLDER_ALIVE" });
  expect(ran()).toEqual([]);
  fails = {};
  needed = ["san", "other"];
  await expect(fence()).rejects.toThrow("writes to datastore other, too");
  expect(ran()).toEqual([]);
  needed = ["san", "vms"];
  up = ["a", "b", "c"];
  await expect(fence()).rejects.toThrow("answers again");
  expect(ran()).toEqual([]);
});

test("no program runs while anything of the host lives there, or something is under way", async () => {
  for (const [other, why] of [
    [vmOf("folder", { disks: [{ name: "root", datastore: "lun" }] }), "renews the lease of VM folder"],
    [
      vmOf("disk", { datastore: "other", disks: [{ name: "root", datastore: "san" }] }),
      "renews the lease of VM disk",
    ],
    [
      vmOf("iso", {
        ...{ datastore: "other", disks: [{ name: "root" }] },
        cdroms: [{ name: "cd0", medium: { datastore: "vms", path: "a.iso" }, connected: true }],
      }),
      "renews the lease of VM iso",
    ],
  ] as const) {
    vms = [vmOf("web-1"), other];
    fresh = [other.name];
    await expect(fence()).rejects.toThrow(why);
  }
  fresh = [];
  tasks = [{ subject: { id: "web-1" }, request: {}, state: "running" }];
  await expect(fence()).rejects.toThrow("a task of the VM has not ended");
  tasks = [{ subject: { id: "folder" }, request: { from: "a", to: "b" }, state: "running" }];
  vms = [vmOf("web-1"), vmOf("folder")];
  await expect(fence()).rejects.toThrow("a task of VM folder");
  expect(did).toEqual([]);
});

test("no program runs for a host that renews again meanwhile, whose agent knows no revoked leases, or once the server is being stopped", async () => {
  vms = [vmOf("web-1"), vmOf("other")];
  revoking = () => (fresh = ["other"]);
  await expect(fence()).rejects.toThrow("renews the lease of VM other");
  expect(did).toEqual([asked]);
  [did, fresh] = [[], []];
  revoking = () => (tasks = [{ subject: { id: "other" }, request: { to: "b" }, state: "running" }]);
  await expect(fence()).rejects.toThrow("a task of VM other");
  expect(did).toEqual([asked]);
  [did, tasks, revoking] = [[], [], () => undefined];
  hosts = [hostOf("a"), hostOf("b", { abilities: [] })];
  await expect(fence()).rejects.toThrow("its own agent is of a version");
  expect(did).toEqual([]);
  hosts = [hostOf("a"), hostOf("b")];
  const stop = new AbortController();
  revoking = () => {
    stop.abort();
  };
  await expect(fenceHost({ ...services, stopped: stop.signal }, vmOf("web-1"), "b")).rejects.toThrow(
    "is being stopped",
  );
  expect(did).toEqual([asked]);
});

test("another living host is asked where one cannot; one of an earlier version, or without access itself, is not", async () => {
  const failure = GodwitError.of("DATASTORE_UNAVAILABLE", {
    datastore: "vms",
    host: "a",
    reason: "it hangs",
  });
  fails = { "vmLeaseRevoke a": failure };
  await fence();
  expect(did.map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
    ...["vmLeaseRevoke a", "vmLeaseRevoke c", "revoke san", "revoke vms", "vmLeaseFence c", "broken web-1"],
  ]);
  did = [];
  hosts = [hostOf("a", { abilities: [] }), hostOf("b"), hostOf("c", { reason: "the host was fenced there" })];
  await expect(fence()).rejects.toThrow("no other host is connected");
  expect(did).toEqual([]);
});

test("a VM that writes elsewhere waits for its lease; one on LUNs alone needs no program", async () => {
  await expect(fence(vmOf("web-1", { disks: [{ name: "root", datastore: "other" }] }))).rejects.toThrow(
    "not all that it writes",
  );
  await expect(fence(vmOf("web-1", { datastore: "local", disks: [{ name: "root" }] }))).rejects.toThrow(
    "not all that it writes",
  );
  const local = vmOf("web-1", { datastore: "own", disks: [{ name: "root", datastore: "san" }] });
  await expect(fence(local)).rejects.toThrow("it can start nowhere else");
  expect(did).toEqual([]);
});

test("a program is for storage that hosts share and a server can refuse them, where every agent knows revoked leases", () => {
  const view = (given: object) =>
    ({ shared: true, source: { kind: "nfs" }, createdAt: "2026", hosts: [{ host: "a" }], ...given }) as never;
  const able = () => ["fencePrograms"];
  expect(notByProgram(view({}), able)).toBeNull();
  expect(notByProgram(view({}), () => [])).toContain("the agent of host a");
  expect(notByProgram(view({ shared: false }), able)).toContain("own storage");
  expect(notByProgram(view({ source: { kind: "lun" } }), able)).toContain("persistent reservations");
  expect(notByProgram(view({ createdAt: null }), able)).toContain("not defined");
});
