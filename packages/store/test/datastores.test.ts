/** Datastores that the inventory defines: for which hosts, taken over from hosts, and kept while something lies on them. */
import { randomUUID } from "node:crypto";
import type { TaskId, Vm, VmId } from "@godwit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sourceOn, Store, type EnteredDatastore } from "../src/index.ts";
import { OwnPostgres } from "./own-postgres.ts";

let own: OwnPostgres;
let store: Store;
const at = (path: string) => ({ kind: "directory" as const, path });
const join = async (name: string, rejoin: string | null = null) => {
  const secret = await store.hosts.createToken(new Date(Date.now() + 3_600_000), rejoin);
  await store.hosts.join(secret, {
    ...{ name, agentUrl: "https://192.0.2.1:8444", memberId: name, certificateEndsAt: null },
  });
};
beforeAll(async () => {
  own = await OwnPostgres.start();
  store = await Store.open(own.connection);
  for (const name of ["a", "b", "c"]) await join(name);
});
afterAll(async () => {
  await store.close();
  await own[Symbol.asyncDispose]();
});

const codeOf = async (doing: Promise<unknown>) =>
  await doing.then(
    () => "done",
    (error: unknown) => (error as { code: string }).code,
  );
const placesOf = async (name: string) => {
  const row = await store.datastores.show(name);
  return ["a", "b", "c"]
    .map((host) => sourceOn(row, host))
    .map((source) => (source?.kind === "directory" ? source.path : null));
};

test("a definition is for every host or for some, where it may lie elsewhere; further hosts are added by name", async () => {
  await store.datastores.add({ name: "vms", shared: true, source: at("/srv/vms") });
  expect(await placesOf("vms")).toEqual(["/srv/vms", "/srv/vms", "/srv/vms"]);
  const fast: EnteredDatastore = { name: "fast", shared: false, source: at("/srv/fast"), hosts: ["a"] };
  await store.datastores.add(fast);
  expect(await placesOf("fast")).toEqual(["/srv/fast", null, null]);
  expect(await codeOf(store.datastores.add(fast))).toBe("DATASTORE_EXISTS");
  expect(await codeOf(store.datastores.add({ ...fast, shared: true, hosts: ["b"] }))).toBe(
    "DATASTORE_EXISTS",
  );
  expect(await codeOf(store.datastores.add({ ...fast, hosts: ["z"] }))).toBe("HOST_UNKNOWN");
  await store.datastores.add({ ...fast, source: at("/mnt/nvme"), hosts: ["b"] });
  expect(await placesOf("fast")).toEqual(["/srv/fast", "/mnt/nvme", null]);
  await store.datastores.add({ name: "fast", shared: false, source: at("/srv/fast") });
  expect(await placesOf("fast")).toEqual(["/srv/fast", "/mnt/nvme", "/srv/fast"]);
});

test("taken from one host it stays with the others; taken from the last it is gone", async () => {
  await store.datastores.remove("vms", "b");
  expect(await placesOf("vms")).toEqual(["/srv/vms", null, "/srv/vms"]);
  expect(await codeOf(store.datastores.remove("vms", "b"))).toBe("DATASTORE_UNKNOWN");
  await store.datastores.remove("vms", "a");
  await store.datastores.remove("vms", "c");
  expect(await codeOf(store.datastores.show("vms"))).toBe("DATASTORE_UNKNOWN");
});

test("it is not removed while a VM lies on it, has an ISO image there, or something is brought there", async () => {
  await store.datastores.add({ name: "used", shared: true, source: at("/srv/used") });
  const vm = { id: randomUUID() as VmId, name: "web-1", datastore: "used", disks: [] } as unknown as Vm;
  const iso = {
    ...{ id: randomUUID() as VmId, name: "iso-1", datastore: "fast", disks: [] },
    cdroms: [{ name: "cd0", medium: { datastore: "used", path: "a.iso" }, connected: false }],
  } as unknown as Vm;
  await store.vms.enter(vm, { host: "a", state: "stopped" });
  await store.vms.enter(iso, { host: "b", state: "stopped" });
  const users = async (host: string | null) =>
    await store.datastores.remove("used", host).then(
      () => [],
      (error: unknown) => (error as { problem: { details: { users: string[] } } }).problem.details.users,
    );
  expect(await users(null)).toEqual(["VM iso-1", "VM web-1"]);
  expect(await users("a")).toEqual(["VM web-1"]);
  expect(Object.fromEntries(await store.datastores.users())).toEqual({
    used: ["iso-1", "web-1"],
    fast: ["iso-1"],
  });
  for (const { id } of [vm, iso]) await store.vms.remove(id, null);
  const reference = { id: randomUUID() as VmId, name: "new-1" };
  const requests = {
    "vm.create": {
      ...{ id: reference.id, host: "a" },
      description: { name: "new-1", datastore: "used", memoryMib: 64, vcpus: 1, disks: [], nics: [] },
    },
    "vm.clone": {
      ...{ vm: reference, home: "fast", host: "a" },
      copy: { id: randomUUID() as VmId, name: "new-2", datastore: "used" },
    },
    "vm.relocateDisks": {
      ...{ vm: reference, home: "fast", host: "a", disks: ["data"], to: "used" },
      ...{ bytesPerSecond: null, unseenBy: [] },
    },
  };
  for (const [kind, request] of Object.entries(requests)) {
    const task = await store.tasks.create({
      ...{ id: randomUUID() as TaskId, actor: "admin", kind, request },
    } as unknown as Parameters<typeof store.tasks.create>[0]);
    expect(await users("a"), kind).toEqual([expect.stringContaining(task.id)]);
    expect(await codeOf(store.datastores.remove("used", null)), kind).toBe("DATASTORE_IN_USE");
    await store.tasks.change(task.id, () => ({ state: "failed" }));
  }
  expect(await users(null)).toEqual([]);
});

test("what a host has by its own configuration is taken over, as it has it; what contradicts the inventory is left", async () => {
  const has = (name: string, path: string, origin: "configuration" | "inventory", shared = true) => ({
    ...{ name, shared, source: at(path), origin },
  });
  // A host that is not known yet: everything that it has, also what an inventory before this one defined.
  expect(
    await store.datastores.takeOver("a", [
      has("nfs", "/a/nfs", "configuration"),
      has("old", "/a/old", "inventory"),
    ]),
  ).toEqual({ changed: true, left: [] });
  expect(await placesOf("nfs")).toEqual(["/a/nfs", null, null]);
  expect(await placesOf("old")).toEqual(["/a/old", null, null]);
  // The same again is no news, and what is removed here does not come back from a host that is known.
  await store.datastores.remove("old", null);
  expect(
    await store.datastores.takeOver("a", [
      has("nfs", "/a/nfs", "configuration"),
      has("old", "/a/old", "inventory"),
    ]),
  ).toEqual({ changed: false, left: [] });
  expect(await codeOf(store.datastores.show("old"))).toBe("DATASTORE_UNKNOWN");
  // Elsewhere on the next host, and as something else on the third.
  await store.datastores.takeOver("b", [has("nfs", "/b/nfs", "configuration")]);
  const { left } = await store.datastores.takeOver("c", [has("nfs", "/c/nfs", "configuration", false)]);
  expect(left).toEqual([{ name: "nfs", reason: expect.stringContaining("host-local") as string }]);
  expect(await placesOf("nfs")).toEqual(["/a/nfs", "/b/nfs", null]);
});

test("two that are added at once under one name are one", async () => {
  const add = (path: string) => store.datastores.add({ name: "once", shared: true, source: at(path) });
  const ends = await Promise.all([codeOf(add("/srv/1")), codeOf(add("/srv/2"))]);
  expect(ends.sort()).toEqual(["DATASTORE_EXISTS", "done"]);
});

test("a disk on another datastore is one VM's, whoever enters it first; an iSCSI target and a LUN are one datastore", async () => {
  const san = (target: string) => ({ kind: "iscsi" as const, portal: "192.0.2.9", target });
  await store.datastores.add({ name: "san", shared: true, source: san("iqn.2026-01.com.example:san") });
  const again = store.datastores.add({
    name: "san2",
    shared: true,
    source: san("iqn.2026-01.com.example:san"),
  });
  expect(await codeOf(again)).toBe("DATASTORE_EXISTS");
  await store.datastores.add({ name: "san2", shared: true, source: san("iqn.2026-01.com.example:san2") });

  const lun = (name: string, wwn: string) =>
    codeOf(store.datastores.add({ name, shared: true, source: { kind: "lun", wwn } }));
  const twice = await Promise.all([lun("fc1", "6001405e8c2f9cc8"), lun("fc2", "6001405e8c2f9cc8")]);
  expect(twice.sort()).toEqual(["DATASTORE_EXISTS", "done"]);
  expect(await lun("fc3", "6001405e8c2f9cc9")).toBe("done");

  const vmOn = (name: string, datastore: string, path: string) =>
    ({
      id: randomUUID() as VmId,
      name,
      datastore: "vms",
      disks: [{ name: "data", datastore, path }],
    }) as unknown as Vm;
  const enter = async (vm: Vm) => await codeOf(store.vms.enter(vm, { host: "a", state: "stopped" }));
  const both = [vmOn("lun-a", "san", "lun-1"), vmOn("lun-b", "san", "lun-1")];
  expect((await Promise.all(both.map(enter))).sort()).toEqual(["DISK_USED_BY_VM", "done"]);
  expect(await enter(vmOn("lun-c", "san2", "lun-1"))).toBe("done");
  expect(await enter(vmOn("lun-d", "san", "lun-2"))).toBe("done");
  expect(await codeOf(store.datastores.remove("san2", null))).toBe("DATASTORE_IN_USE");
});

test("a sealed secret lies beside the datastore's source, is in no list, and goes with the datastore", async () => {
  const id = "0123456789abcdef0123456789abcdef";
  const source = {
    ...{ kind: "iscsi" as const, portal: "10.0.3.9", target: "iqn.2026-01.com.example:chap" },
    chap: { user: "godwit", secretId: id },
  };
  await store.datastores.add({ name: "chap", shared: true, source, secret: { id, sealed: "v1.sealed" } });
  expect(await store.datastores.secret("chap", id)).toBe("v1.sealed");
  expect(await store.datastores.secret("chap", id.replace("0", "1"))).toBe(null);
  expect((await store.datastores.list()).find(({ name }) => name === "chap")?.source).toEqual(source);
  expect(JSON.stringify(await store.datastores.list())).not.toContain("sealed");
  await store.datastores.remove("chap", null);
  expect(await store.datastores.secret("chap", id)).toBe(null);
});

test("persistent reservations are a LUN's, off at first, and keep it from being removed", async () => {
  const source = { kind: "lun" as const, wwn: "6001405e8c2f9cc868049749f4e4f852" };
  await store.datastores.add({ name: "reserved", shared: true, source });
  expect((await store.datastores.show("reserved")).reservations).toBeUndefined();
  await store.datastores.setReservations("reserved", true);
  expect((await store.datastores.show("reserved")).reservations).toBe(true);
  expect(await codeOf(store.datastores.remove("reserved", null))).toBe("DATASTORE_RESERVED");
  expect(await codeOf(store.datastores.remove("reserved", "a"))).toBe("DATASTORE_RESERVED");
  await store.datastores.setReservations("reserved", false);
  await store.datastores.remove("reserved", null);
  expect(await codeOf(store.datastores.setReservations("reserved", true))).toBe("DATASTORE_UNKNOWN");
  await store.datastores.add({ name: "plain", shared: true, source: at("/srv/plain") });
  expect(await codeOf(store.datastores.setReservations("plain", true))).toBe(
    "DATASTORE_WITHOUT_RESERVATIONS",
  );
});

test("a host that was fenced by a program is not forgotten: neither it, nor the datastore, nor the program goes before it has its access back", async () => {
  const { datastores, access, hosts } = store;
  await join("fenced");
  await datastores.add({ name: "filer", shared: true, source: at("/srv/filer") });
  const order = (name: string) => ({
    ...{ name, agent: "192.0.2.1", migration: [], addresses: ["10.0.3.12"] },
    initiator: `iqn.2008-11.org.linux-kvm:${name}`,
  });
  const revoking = (bootId: string | null, since = new Date(1000)) =>
    access.revoking("filer", order("fenced"), { bootId, now: since });
  const never = { bootId: null, now: new Date() };
  expect(await codeOf(revoking("boot-1"))).toBe("DATASTORE_WITHOUT_FENCING");
  await datastores.setFenceProgram("filer", "fence-1");
  expect(await datastores.show("filer")).toMatchObject({ fenceProgram: "fence-1" });
  expect(await codeOf(access.revoking("filer", order("nobody"), never))).toBe("HOST_UNKNOWN");
  expect(await codeOf(access.revoking("none", order("fenced"), never))).toBe("DATASTORE_UNKNOWN");
  expect(await access.list()).toEqual([]);

  expect(await revoking("boot-1")).toBe("fence-1");
  const row = {
    ...{ datastore: "filer", host: "fenced", since: new Date(1000).toISOString() },
    order: order("fenced"),
  };
  expect(await access.list()).toEqual([{ ...row, bootId: "boot-1", state: "revoking", reason: null }]);
  await access.set("filer", "fenced", { state: "revoking", reason: "the filer says no" });
  // Since when it is so stays; what ran in the boot before is gone.
  await revoking("boot-2", new Date(2000));
  await access.set("filer", "fenced", { state: "revoked", reason: null });
  expect(await access.list()).toEqual([{ ...row, bootId: "boot-2", state: "revoked", reason: null }]);

  // It may be another machine from now on.
  await join("fenced", "fenced");
  expect(await access.list()).toEqual([{ ...row, bootId: null, state: "revoked", reason: null }]);

  for (const refused of [
    () => datastores.setFenceProgram("filer", null),
    () => datastores.remove("filer", null),
    () => datastores.remove("filer", "fenced"),
    () => hosts.remove("fenced", true),
  ])
    expect(await codeOf(refused())).toBe("DATASTORE_ACCESS_REVOKED");
  expect(await datastores.show("filer")).toMatchObject({ fenceProgram: "fence-1" });
  // Another program may know better.
  await datastores.setFenceProgram("filer", "fence-2");
  await datastores.remove("filer", "a");

  await access.restored("filer", "fenced");
  expect(await access.list()).toEqual([]);
  await datastores.setFenceProgram("filer", null);
  expect((await datastores.show("filer")).fenceProgram).toBeUndefined();
  await hosts.remove("fenced", false);
  await datastores.remove("filer", null);
});
