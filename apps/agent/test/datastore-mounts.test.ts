/** Storage that is not mounted when the agent starts, that goes away under it, and that comes back as another. */
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { markDatastore } from "@godwit/storage";
import { afterEach, beforeEach, expect, test } from "vitest";
import { agentConfigSchema } from "../src/config.ts";
import { Datastores } from "../src/host/datastores.ts";
import { HostDatastores } from "../src/datastores/host-datastores.ts";
import { initDatastore } from "../src/datastores/mark-datastore.ts";
import { Environment } from "../src/vms/environment.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-mounts-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("a datastore is where its identity is, and nowhere else", async () => {
  const path = join(folder, "mnt");
  const [storage, other] = [join(folder, "nfs"), join(folder, "other")];
  const config = agentConfigSchema.parse({
    ...{ name: "a", listen: { address: "192.0.2.1" }, server: { url: "https://192.0.2.2:8443" } },
    datastores: [
      { name: "shared", path },
      { name: "unmounted", path: "/etc" },
    ],
  });
  for (const [at, name] of [
    [storage, "b"],
    [other, "c"],
  ] as const) {
    await mkdir(at);
    await markDatastore({ name: "shared", path: at, shared: true }, name);
  }
  await mkdir(path); // the empty folder that storage is mounted on
  const mount = async (from: string) => {
    await rename(path, join(folder, "below"));
    await rename(from, path);
  };
  const unmount = async (to: string) => {
    await rename(path, to);
    await rename(join(folder, "below"), path);
  };

  const all = HostDatastores.configured(config);
  const environment = new Environment(config, all);
  const lockspaces = { leasesOf: () => null };
  const datastores = new Datastores({
    datastores: HostDatastores.configured({ ...config, datastores: config.datastores.slice(0, 1) }),
    ...{ environment, lockspaces },
  });
  await expect(environment.datastore("shared")).rejects.toMatchObject({ code: "DATASTORE_NOT_MARKED" });
  // On the disk of the operating system it becomes none by mistake, either.
  await expect(initDatastore(config, all, "unmounted", false)).rejects.toMatchObject({
    code: "DATASTORE_ON_ROOT",
  });
  await expect(initDatastore(config, all, "none", false)).rejects.toMatchObject({
    code: "DATASTORE_UNKNOWN",
  });
  expect(await readdir(path)).toEqual([]);

  await mount(storage);
  const { id } = await environment.datastore("shared");
  expect(await datastores.load()).toMatchObject([{ reason: null }]);

  await unmount(storage);
  expect(await datastores.load()).toMatchObject([
    { space: null, reason: expect.stringContaining("its storage is not mounted there") as string },
  ]);
  expect(await readdir(path)).toEqual([]);
  expect(await datastores.facts()).toMatchObject([{ id }]);

  await mount(other);
  await expect(environment.datastore("shared")).rejects.toMatchObject({ code: "DATASTORE_REPLACED" });
  await unmount(other);
  await mount(storage);
  expect((await environment.datastore("shared")).id).toBe(id);
});
