/** What an agent mounts for datastores; real mounts in a folder of the test's own. Needs root. */
import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatastoreSource } from "@godwit/contract";
import { mounted, mountFileSystem, unmountFileSystem } from "@godwit/system";
import { afterEach, beforeEach, expect, test } from "vitest";
import { agentConfigSchema } from "../src/config.ts";
import { HostDatastores } from "../src/datastores/host-datastores.ts";
import { Mounts } from "../src/datastores/mounts.ts";
import { Environment } from "../src/vms/environment.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-mounts-"));
});
afterEach(async () => {
  for (const { where } of await mounted())
    if (where.startsWith(folder)) await unmountFileSystem(where, 10_000);
  await rm(folder, { recursive: true, force: true });
});

const nfs: DatastoreSource = { kind: "nfs", server: "127.0.0.1", path: "/none" };
const other = async (where: string) => {
  await mkdir(where);
  await mountFileSystem({ type: "tmpfs", what: "other", where }, ["size=1m"], 10_000);
};
const places = async () =>
  (await mounted()).flatMap(({ where }) =>
    where.startsWith(folder) ? [where.slice(folder.length + 1)] : [],
  );

test("an export that cannot be mounted makes its datastore unavailable with the reason, and no folder stands in for it", async () => {
  const config = agentConfigSchema.parse({
    ...{ name: "a", listen: { address: "192.0.2.1" }, server: { url: "https://192.0.2.2:8443" } },
    ...{ mountsFolder: folder, stateFolder: folder },
  });
  const datastores = await HostDatastores.read(config);
  expect(
    await datastores.take({ datastores: [{ name: "vms", shared: true, source: nfs }] }, () => []),
  ).toEqual([]);
  const environment = new Environment(config, datastores);
  for (const attempt of [1, 2])
    await expect(environment.datastore("vms"), `attempt ${String(attempt)}`).rejects.toMatchObject({
      code: "DATASTORE_UNAVAILABLE",
      message: expect.stringContaining("127.0.0.1:/none cannot be mounted: ") as string,
    });
  expect(await places()).toEqual([]);
});

test("what somebody else mounted there is never used for it", async () => {
  await other(join(folder, "vms"));
  await expect(
    new Mounts({ mountsFolder: folder, name: "a" }).folderOf({ name: "vms", source: nfs }),
  ).rejects.toThrow(/: other is mounted at .*, and not 127.0.0.1:\/none\.$/);
});

test("what no datastore needs is unmounted once nothing on it is open, and nothing outside of the folder is", async () => {
  const [own, outside] = [join(folder, "own"), join(folder, "outside")];
  await mkdir(own);
  await other(join(own, "gone"));
  await other(join(own, "busy"));
  await other(outside);
  const mounts = new Mounts({ mountsFolder: own, name: "a" });
  {
    await using _open = await open(join(own, "busy/file"), "w");
    await mounts.tidy(() => [{ name: "dir", source: { kind: "directory", path: "/srv/dir" } }]);
    expect(await places()).toEqual(["own/busy", "outside"]);
  }
  await mounts.tidy(() => []);
  expect(await places()).toEqual(["outside"]);
});
