/**
 * The server is lost while a VM runs: restored from a backup that is older than the VM's last move, and then made new
 * without a backup. The VM runs on exactly one host throughout, and the server finds it where it is.
 */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Lab, type Api } from "@godwit/lab";
import { run } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";
import { fileURLToPath } from "node:url";

const program = [process.execPath, fileURLToPath(new URL("../../apps/cli/src/godwit.js", import.meta.url))];
const godwit = async (...words: string[]) =>
  await run(program[0] ?? "", [...program.slice(1), ...words], {
    what: `running godwit ${words.slice(0, 2).join(" ")}`,
    timeoutMs: 120_000,
  });
const placeOf = async (api: Api, vm: string) => {
  const { host, state } = await api.call("vmShow", { params: { vm } });
  return { host, state };
};
const patience = { timeout: 60_000 };

test("a lost server is restored from an old backup, and made new without one, below a running VM", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const vm = await lab.boot({ on: "a" });
  const { server } = lab.lab;
  const backups = join(lab.lab.folder, "backups");
  await mkdir(backups);
  const key = ["--passphrase-file", join(backups, "passphrase")];
  await writeFile(join(backups, "passphrase"), "correct horse battery\n");
  const { stdout } = await godwit(
    "server",
    "backup",
    "--data",
    server.folder,
    "--to",
    backups,
    "--json",
    ...key,
  );
  const { file } = JSON.parse(stdout) as { file: string };
  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: vm.name }, body: { to: "b" } }));
  await lab.boot({ name: "young", on: "a" });

  await server.end("SIGTERM");
  await rename(server.folder, `${server.folder}.lost`);
  await godwit("server", "restore", file, "--data", server.folder, ...key);
  await server.start();
  await expect.poll(() => placeOf(lab.api, vm.name), patience).toEqual({ host: "b", state: "running" });
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  const found = await lab.api.call("vmRegisterAll", {});
  expect(found).toEqual({ registered: [{ name: "young", host: "a" }], left: [], absent: [] });
  await expect.poll(() => placeOf(lab.api, "young"), patience).toEqual({ host: "a", state: "running" });
  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: vm.name }, body: { to: "a" } }));
  expect(await lab.runnersOf(vm)).toEqual(["a"]);

  await server.end("SIGTERM");
  await rename(server.folder, `${server.folder}.again`);
  await godwit("server", "init", "--adopt", "--data", server.folder);
  await server.start();
  const { api } = await Lab.open(lab.lab.id, program);
  const token = async () => (await api.call("hostTokenCreate", { body: {} })).token;
  const [a, b] = [lab.lab.host("a"), lab.lab.host("b")];
  await expect(b.join(await token(), null)).rejects.toThrow(/HOST_OF_ANOTHER_CLUSTER/);
  await b.join(await token(), null, ["--adopt"]);
  await b.endAgent("SIGTERM");
  await b.startAgent();
  const stateOf = async (host: string) => (await api.call("hostShow", { params: { host } })).state;
  await expect.poll(() => stateOf("b"), patience).toBe("connected");
  // Both run on a, which has not joined: their leases say so.
  const early = await api.call("vmRegisterAll", {});
  expect(early.registered).toEqual([]);
  expect(early.left.map(({ name }) => name).sort()).toEqual(["web-1", "young"]);
  expect(early.left[0]?.reason).toContain("a holds its lease");
  expect(await lab.runnersOf(vm)).toEqual(["a"]);

  await a.join(await token(), null, ["--adopt"]);
  await a.endAgent("SIGTERM");
  await a.startAgent();
  await expect.poll(() => stateOf("a"), patience).toBe("connected");
  const late = await api.call("vmRegisterAll", {});
  expect(late).toMatchObject({ left: [], absent: [] });
  expect(late.registered.map(({ name, host }) => `${name} on ${host}`).sort()).toEqual([
    ...["web-1 on a", "young on a"],
  ]);
  await expect.poll(() => placeOf(api, vm.name), patience).toEqual({ host: "a", state: "running" });
  const { id } = await api.call("vmMigrate", { params: { vm: vm.name }, body: { to: "b" } });
  const moved = async () => (await api.call("taskShow", { params: { task: id } })).state;
  await expect.poll(moved, patience).toBe("succeeded");
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(await lab.runnersOf(await api.call("vmShow", { params: { vm: "young" } }))).toEqual(["a"]);
});
