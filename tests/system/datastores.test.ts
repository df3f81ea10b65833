/** Datastores of the inventory: taken over from the hosts, defined, applied, kept through restarts of either side, removed. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { TestLab } from "@godwit/test-kit";
import { readFileOrNull, until } from "@godwit/system";
import { expect, test } from "vitest";

const path = "/var/lib/godwit/datastores/fast";
const source = { kind: "directory" as const, path };

test("datastores are defined at the server and applied by the agents, whichever of them restarts", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const states = async (datastore: string) =>
    Object.fromEntries(
      (await lab.api.call("datastoreShow", { params: { datastore } })).hosts.map(({ host, state }) => [
        host,
        state,
      ]),
    );
  const add = async (hosts?: string[]) =>
    await lab.api.call("datastoreAdd", {
      body: { name: "fast", shared: false, source, ...(hosts === undefined ? {} : { hosts }) },
    });
  for (const host of lab.lab.hosts)
    await mkdir(join(host.stateFolder, "datastores/fast"), { recursive: true });

  // What stood in the agents' configuration is the inventory's now.
  const shared = async () => await lab.api.call("datastoreShow", { params: { datastore: "shared" } });
  await holds(async () => (await shared()).hosts.filter(({ desired }) => desired !== null).length === 2);
  const origins = async (host: string) => {
    const { facts } = await lab.api.call("hostShow", { params: { host } });
    return Object.fromEntries((facts?.datastores ?? []).map(({ name, origin }) => [name, origin]));
  };
  await holds(async () => (await origins("a")).shared === "inventory");
  await holds(async () => (await origins("b")).shared === "inventory");

  // Defined, and applied when the answer comes; usable when its storage is marked.
  expect(await add(["a"])).toMatchObject({ hosts: [{ host: "a", state: "unavailable" }] });
  const marked = await lab.api.call("datastoreInit", {
    params: { datastore: "fast" },
    body: { host: "a", onRoot: false },
  });
  expect(marked).toEqual({ isNew: true });
  expect(await states("fast")).toEqual({ a: "available" });
  await expect(add(["a"])).rejects.toMatchObject({ code: "DATASTORE_EXISTS" });
  await lab.api.call("datastoreAdd", {
    body: { name: "etc", shared: false, source: { kind: "directory", path: "/etc" }, hosts: ["b"] },
  });
  expect(await states("etc")).toEqual({ b: "notApplied" });
  const alarms = async (host: string) =>
    (await lab.api.call("hostShow", { params: { host } })).alarms.map(({ code }) => code);
  await holds(async () => (await alarms("b")).includes("DATASTORE_NOT_APPLIED"));
  await lab.api.call("datastoreRemove", { params: { datastore: "etc" }, query: {} });
  await holds(async () => !(await alarms("b")).includes("DATASTORE_NOT_APPLIED"));

  // A VM on it runs; so it stays, at the server and at the host.
  const vm = await lab.boot({
    on: "a",
    at: { datastore: "fast", folder: join(lab.lab.host("a").stateFolder, "datastores/fast") },
  });
  expect(
    (await lab.api.call("datastoreBrowse", { params: { datastore: "fast" }, query: { path: "web-1" } }))
      .entries,
  ).toContainEqual(expect.objectContaining({ name: "vm.json", kind: "file" }));
  await expect(
    lab.api.call("datastoreBrowse", { params: { datastore: "fast" }, query: { path: "none" } }),
  ).rejects.toMatchObject({ code: "DATASTORE_FOLDER_MISSING" });
  const remove = (query: { host?: string } = {}) =>
    lab.api.call("datastoreRemove", { params: { datastore: "fast" }, query });
  await expect(remove()).rejects.toMatchObject({ code: "DATASTORE_IN_USE" });
  await expect(remove({ host: "a" })).rejects.toMatchObject({ code: "DATASTORE_IN_USE" });

  // Neither restart loses it, also without a word of datastores in the agent's configuration.
  await lab.lab.host("a").configure({ datastores: undefined });
  await lab.lab.host("a").endAgent();
  await lab.lab.server.end();
  await lab.lab.host("a").startAgent();
  await lab.lab.server.start();
  await holds(async () => (await states("fast")).a === "available");
  expect(await origins("a")).toEqual({ fast: "inventory", shared: "inventory" });
  expect(await lab.runnersOf(vm)).toEqual(["a"]);

  // A host that was away learns what changed meanwhile; one that has lost what it was told is told again.
  await lab.lab.host("b").endAgent();
  await holds(async () => (await lab.api.call("hostShow", { params: { host: "b" } })).state !== "connected");
  await add(["b"]);
  expect(await states("fast")).toMatchObject({ b: "unknown" });
  await lab.lab.host("b").startAgent();
  await holds(async () => (await states("fast")).b === "unavailable");
  await lab.lab.host("b").endAgent();
  const kept = join(lab.lab.host("b").stateFolder, "agent/datastores.json");
  await rm(kept);
  await lab.lab.host("b").startAgent();
  await holds(async () => ((await readFileOrNull(kept)) ?? "").includes('"fast"'));
  await holds(async () => (await states("fast")).b === "unavailable");

  await remove({ host: "b" });
  expect(await states("fast")).toEqual({ a: "available" });
  await lab.ended(lab.api.call("vmStop", { params: { vm: vm.id }, body: { graceSeconds: 0 } }));
  await lab.ended(lab.api.call("vmDelete", { params: { vm: vm.id }, query: {} }));
  await remove();
  await expect(states("fast")).rejects.toMatchObject({ code: "DATASTORE_UNKNOWN" });
  await expect.poll(() => origins("a")).toEqual({ shared: "inventory" });
});

/** What reports bring about; nothing tells of it. */
async function holds(look: () => Promise<boolean>): Promise<void> {
  expect(await until(look, { everyMs: 200, limitMs: 60_000 })).toBe(true);
}
