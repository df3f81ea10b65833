/**
 * A new certificate authority takes the place of the old one while a VM runs and moves between any two steps, the
 * server is killed in the middle, and a host that is away keeps a step from being taken. A move that is under way while
 * its hosts get new certificates goes on.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Lab, type Api } from "@godwit/lab";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";
import { Hold } from "../../faults/hold.ts";

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
    const task = () => api.call("taskShow", { params: { task: id } });
    // With its error, so that a failure here explains itself.
    await expect.poll(task, patience).toMatchObject({ state: "succeeded", error: null });
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

test("hosts get new certificates in the middle of moves: each move goes on", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"], pausePoints: true });
  const vm = await lab.boot({ on: "a" });
  await using load = await lab.load();
  let { api } = lab;
  const certificates = () => Promise.all(["a", "b"].map((host) => certificateOf(lab, host)));
  const renewedIn = async (phase: "validated" | "prepared", from: string, to: string) => {
    const before = await certificates();
    await using hold = await Hold.at(lab.lab, from, phase);
    const { id } = await api.call("vmMigrate", { params: { vm: vm.name }, body: { to } });
    await hold.reached(AbortSignal.timeout(60_000));
    await api.call("authorityRotate", { body: { without: [] } });
    // Clients take the file with what is trusted now.
    ({ api } = await Lab.open(lab.lab.id, program));
    await expect.poll(() => hostStates(api), patience).toEqual(["a: ready", "b: ready"]);
    for (const [index, certificate] of (await certificates()).entries())
      expect(certificate).not.toBe(before[index]);
    await hold.letGo();
    const task = () => api.call("taskShow", { params: { task: id } });
    await expect.poll(task, patience).toMatchObject({ state: "succeeded", error: null });
    expect(await lab.runnersOf(vm)).toEqual([to]);
  };

  // Before the destination's QEMU has read its certificate, and after.
  await renewedIn("validated", "a", "b");
  await renewedIn("prepared", "b", "a");
  await renewedIn("validated", "a", "b");
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
});

const certificateOf = async (lab: TestLab, host: string) =>
  await readFile(join(lab.lab.host(host).stateFolder, "agent/pki/host-cert.pem"), "utf8");
