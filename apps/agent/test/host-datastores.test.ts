/** Datastores of a host: the inventory's and the configuration's, which counts until it was taken over and never again. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sourceText } from "@godwit/contract";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HostDatastores } from "../src/datastores/host-datastores.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-datastores-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const log = pino({ level: "silent" });
const nobody = () => [];
const configOf = (...names: string[]) => ({
  stateFolder: folder,
  datastores: names.map((name) => ({ name, path: `/opt/${name}`, shared: true })),
  datastoreFolders: [join(folder, "srv")],
});
const defined = (name: string, path: string, shared = true) => ({
  ...{ name, shared, source: { kind: "directory" as const, path } },
});
const shown = (datastores: HostDatastores) =>
  datastores.all.map(({ name, source, origin }) => `${name} ${sourceText(source)} ${origin}`);

test("an entry of the configuration counts until the inventory has it, and stays away when it is removed there", async () => {
  const config = configOf("own", "other");
  const before = await HostDatastores.read(config, log);
  expect(shown(before)).toEqual(["other /opt/other configuration", "own /opt/own configuration"]);
  expect(await before.take({ datastores: [defined("own", "/opt/own")] }, nobody)).toEqual([]);
  const kept = ["other /opt/other configuration", "own /opt/own inventory"];
  expect(shown(before)).toEqual(kept);
  const restarted = await HostDatastores.read(config, log);
  expect(shown(restarted)).toEqual(kept);
  await restarted.take({ datastores: [] }, nobody);
  expect(shown(await HostDatastores.read(config, log))).toEqual(["other /opt/other configuration"]);
});

test("one that a VM runs from stays as it is, with the reason, and goes when nothing runs from it", async () => {
  const datastores = await HostDatastores.read(configOf(), log);
  const path = (name: string) => join(folder, "srv", name);
  await datastores.take({ datastores: [defined("vms", path("vms")), defined("iso", path("iso"))] }, nobody);
  const users = (name: string) => (name === "vms" ? ["VM web-1"] : []);
  const moved = { datastores: [defined("vms", path("elsewhere")), defined("iso", path("iso"))] };
  const refused = [{ name: "vms", reason: expect.stringContaining("VM web-1 runs from it") as string }];
  expect(await datastores.take(moved, users)).toEqual(refused);
  expect(datastores.find("vms")?.source).toMatchObject({ path: path("vms") });
  expect(await datastores.take({ datastores: [] }, users)).toEqual(refused);
  expect(datastores.all.map(({ name }) => name)).toEqual(["vms"]);
  // The same definition is no change, whoever uses it.
  expect(await datastores.take({ datastores: [defined("vms", path("vms"))] }, users)).toEqual([]);
  expect(await datastores.take({ datastores: [] }, nobody)).toEqual([]);
  expect(datastores.all).toEqual([]);
});

test("who defines datastores gets no other folder of the host by that: none outside those allowed, also not through a link", async () => {
  const datastores = await HostDatastores.read(configOf("own"), log);
  await mkdir(join(folder, "srv"));
  await symlink("/etc", join(folder, "srv", "link"));
  const list = [
    defined("etc", "/etc"),
    defined("link", join(folder, "srv", "link")),
    defined("beside", `${join(folder, "srv")}-beside/x`),
    defined("own", "/opt/own"),
    defined("inside", join(folder, "srv", "inside")),
  ];
  const refused = await datastores.take({ datastores: list }, nobody);
  expect(refused.map(({ name }) => name)).toEqual(["etc", "link", "beside"]);
  expect(shown(datastores)).toEqual([
    `inside ${join(folder, "srv", "inside")} inventory`,
    "own /opt/own inventory",
  ]);
});

test("a file that cannot be read leaves the configuration's; what is told twice at once is taken in order, and heard once each", async () => {
  await writeFile(join(folder, "datastores.json"), "{");
  const datastores = await HostDatastores.read(configOf("own"), log);
  expect(shown(datastores)).toEqual(["own /opt/own configuration"]);
  let changes = 0;
  datastores.onChange(() => {
    changes += 1;
  });
  const one = { datastores: [defined("one", join(folder, "srv", "one"))] };
  await Promise.all([datastores.take(one, nobody), datastores.take(one, nobody)]);
  expect(changes).toBe(1);
  await datastores.take({ datastores: [] }, nobody);
  expect(changes).toBe(2);
});
