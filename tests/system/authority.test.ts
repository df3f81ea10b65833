/**
 * A new certificate authority takes the place of the old one while a VM runs and moves between any two steps, the
 * server is killed in the middle, and a host that is away keeps a step from being taken.
 */
import { fileURLToPath } from "node:url";
import { Lab, type Api } from "@godwit/lab";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const program = [process.execPath, fileURLToPath(new URL("../../apps/cli/src/godwit.js", import.meta.url))];
const patience = { timeout: 60_000 };
const hostStates = async (api: Api) =>
  (await api.call("authorityShow", {})).hosts.map(({ host, state }) => `${host}: ${state}`);

test("a new certificate authority takes over without a break", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const vm = await lab.boot({ on: "a" });
  const before = (await lab.api.call("authorityShow", {})).signing.fingerprint;
  let api = lab.api;
  const rotate = (without: string[] = []) => api.call("authorityRotate", { body: { without } });
  const move = async (to: string) => {
    const { id } = await api.call("vmMigrate", { params: { vm: vm.name }, body: { to } });
    const state = async () => (await api.call("taskShow", { params: { task: id } })).state;
    await expect.poll(state, patience).toBe("succeeded");
    expect(await lab.runnersOf(vm)).toEqual([to]);
  };
  const ready = ["a: ready", "b: ready"];

  await lab.lab.host("b").endAgent();
  expect((await rotate()).phase).toBe("trusting");
  await expect.poll(() => hostStates(api), patience).toEqual(["a: ready", "b: absent"]);
  await expect(rotate()).rejects.toMatchObject({ code: "AUTHORITY_HOSTS_BEHIND" });
  await lab.lab.host("b").startAgent();
  await expect.poll(() => hostStates(api), patience).toEqual(ready);
  await move("b");

  // Clients take the file with both.
  ({ api } = await Lab.open(lab.lab.id, program));
  expect((await rotate()).phase).toBe("replacing");
  await lab.lab.server.end();
  await lab.lab.server.start();
  await expect.poll(() => hostStates(api).catch(() => []), patience).toEqual(ready);
  await move("a");

  expect((await rotate()).phase).toBe("closing");
  await expect.poll(() => hostStates(api), patience).toEqual(ready);
  await move("b");
  const after = await rotate();
  expect(after).toMatchObject({ phase: null, next: null, hosts: [] });
  expect(after.signing.fingerprint).not.toBe(before);
  await lab.lab.host("a").endAgent();
  await lab.lab.host("a").startAgent();
  await move("a");
  // A client that knows the old one only does not take the server for its own.
  await expect(lab.api.call("hostList", {})).rejects.toMatchObject({
    ...{ code: "CONNECTION_FAILED", message: expect.stringContaining("certificate") as string },
  });
});
