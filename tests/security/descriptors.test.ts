/**
 * An agent without a file descriptor left, for longer than a host may go without renewing its lease: it can look at
 * nothing, and takes nothing for gone. Its VM runs on, is not told as ended, and everything works again afterwards.
 */
import { run, sleep, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

/** sanlock and the agent end VMs after 8 io timeouts, which are 2 s in a lab. */
const longerThanALeaseMs = 30_000;

test("an agent that runs out of descriptors ends no VM", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const vm = await lab.boot({ on: "a" });
  const { agent } = lab.lab.host("a");
  if (agent === null) throw new Error("no agent runs on a");
  const limit = async (descriptors: string) => {
    const argv = ["--pid", String(agent.pid), `--nofile=${descriptors}:`];
    await run("prlimit", argv, { what: "limiting the agent's descriptors" });
  };
  const { stdout } = await run(
    "prlimit",
    ["--pid", String(agent.pid), "--nofile", "--raw", "--noheadings", "-o", "SOFT"],
    {
      what: "asking for the agent's limit",
    },
  );

  // Fewer than it has open: whatever it opens fails.
  await limit("10");
  await sleep(longerThanALeaseMs);
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  await limit(stdout.trim());

  // The server asks again when it thinks fit.
  const isUp = async () => (await lab.api.call("hostShow", { params: { host: "a" } })).state === "connected";
  expect(await until(isUp, { everyMs: 500, limitMs: 60_000 })).toBe(true);
  expect(await lab.vm("web-1")).toMatchObject({ host: "a", state: "running" });
  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } }));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(await lab.settled(1)).toEqual([]);
});
