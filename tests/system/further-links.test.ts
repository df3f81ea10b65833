/** A migration stream goes over several links at once, and over those that are left when one is cut. */
import { existsSync } from "node:fs";
import { moveOf } from "@godwit/contract";
import { inPhase, TestLab } from "@godwit/test-kit";
import { run, until } from "@godwit/system";
import { describeWith } from "../../test-kit/src/describe-with.ts";
import { afterAll, beforeAll, expect, test } from "vitest";

const missing = existsSync("/proc/sys/net/mptcp/enabled") ? null : "the kernel has no Multipath TCP";

describeWith("hosts with a second link for migrations", missing, () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await TestLab.start({ hosts: ["a", "b"] });
    await lab.boot({ on: "a" });
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  /** In this lab the second link is the one that the agents talk over. */
  const further = { a: "10.87.1.11", b: "10.87.1.12" };
  const address = { a: "10.87.2.11", b: "10.87.2.12" };

  async function restartWith(also: { a: string; b: string }): Promise<void> {
    for (const host of ["a", "b"] as const) {
      await lab.lab.host(host).configure({ migration: { address: address[host], also: [also[host]] } });
      await lab.lab.host(host).endAgent();
      await lab.lab.host(host).startAgent();
    }
    const areUp = async () =>
      (await lab.api.call("hostList", {})).hosts.every(
        ({ state, facts }) => state === "connected" && facts?.migrationSettings?.also !== undefined,
      );
    expect(await until(areUp, { everyMs: 200, limitMs: 60_000 })).toBe(true);
  }

  const on = async (part: string, ...command: string[]): Promise<string> => {
    const argv = ["netns", "exec", lab.lab.namespace(part), ...command];
    return (await run("ip", argv, { what: `running ${command.join(" ")} on ${part}` })).stdout;
  };
  const sentBy = async (host: string, link: string): Promise<number> =>
    Number(await on(host, "cat", `/sys/class/net/${link}/statistics/tx_bytes`));

  test("an address that no interface has is told, and the VM moves over the link that there is", async () => {
    await restartWith({ a: "10.87.9.9", b: further.b });
    const { facts } = await lab.api.call("hostShow", { params: { host: "a" } });
    expect(facts?.migrationSettings).toMatchObject({
      also: ["10.87.9.9"],
      alsoProblem: "no interface has 10.87.9.9",
    });
    const before = await sentBy("a", "management");
    await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } }));
    expect((await sentBy("a", "management")) - before).toBeLessThan(20e6);
  });

  test("both links carry it; the client loses nothing when one is cut in the middle", async () => {
    await restartWith(further);
    const { facts } = await lab.api.call("hostShow", { params: { host: "b" } });
    expect(facts?.migrationSettings).toMatchObject({ also: [further.b], alsoProblem: null });
    await using load = await lab.load();
    const vm = await lab.vm("web-1");
    const from = vm.host;
    const to = from === "a" ? "b" : "a";
    const before = await sentBy(from, "management");
    // In the network, where the hosts do not see it: what the first link does not take goes over the second.
    await on("net", ...`tc qdisc add dev ${to}-mig root tbf rate 40mbit burst 256kb latency 50ms`.split(" "));
    const task = await lab.api.call("vmMigrate", {
      params: { vm: "web-1" },
      body: { to, bandwidthMbps: 150 },
    });
    await lab.until(task.id, inPhase("copying"));
    // What the agents say to each other is far less.
    const isShared = async () => (await sentBy(from, "management")) - before > 2e6;
    expect(await until(isShared, { everyMs: 50, limitMs: 60_000 })).toBe(true);
    await on("net", "ip", "link", "set", `${from}-mig`, "down");
    expect(moveOf(await lab.ended(task))).toMatchObject({ phase: "succeeded", encrypted: true });
    await on("net", "ip", "link", "set", `${from}-mig`, "up");
    expect(await lab.runnersOf(vm)).toEqual([to]);
    expect((await sentBy(from, "management")) - before).toBeGreaterThan(20e6);
    expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });
    expect(await lab.settled(1)).toEqual([]);
  });
});
