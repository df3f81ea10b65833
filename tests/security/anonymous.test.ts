/**
 * Hundreds of callers whom nobody knows hold on to an agent and to the server: neither runs out of descriptors, the VM
 * runs on, and moves go on as if nobody were there.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { serverAddress, serverPort } from "@godwit/lab";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const crowd = fileURLToPath(new URL("crowd.ts", import.meta.url));
const callers = 600;
/** What an agent or a server opens for its own work meanwhile, a move included. */
const ownDescriptors = 150;

/** Callers at the place of host `at` in the lab's networks. */
async function come(lab: TestLab, at: string, url: string): Promise<Disposable> {
  const argv = ["netns", "exec", lab.lab.namespace(at), process.execPath, crowd, url, String(callers)];
  const child = spawn("ip", argv, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return { [Symbol.dispose]: () => child.kill("SIGKILL") };
}

const descriptorsOf = async (pid: number): Promise<number> =>
  (await readdir(`/proc/${String(pid)}/fd`)).length;

test("callers without a certificate hold nothing of an agent and little of the server", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b", "c"] });
  const vm = await lab.boot({ on: "a" });
  const { agent } = lab.lab.host("a");
  if (agent === null) throw new Error("no agent runs on a");
  const before = await descriptorsOf(agent.pid);
  const { hosts } = await lab.api.call("hostList", {});
  const agentUrl = hosts.find(({ name }) => name === "a")?.agentUrl ?? "";

  using _atAgent = await come(lab, "c", agentUrl);
  using _atServer = await come(lab, "c", `https://${serverAddress}:${String(serverPort)}`);
  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } }));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "a" } }));
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  await expect
    .poll(async () => await descriptorsOf(agent.pid), { timeout: 60_000 })
    .toBeLessThan(before + ownDescriptors);
});
