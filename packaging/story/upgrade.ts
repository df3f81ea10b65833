/**
 * From the version before to this one, as docs/operators/upgrading.md says it: the server first, then the hosts one after
 * the other, with a VM that runs and moves; and a host's agent back to the version before.
 */
import { deepStrictEqual as equal, ok } from "node:assert/strict";
import { aptInstall, type Cluster, type Version } from "./cluster.ts";
import type { Machine } from "./machine.ts";

const differ = "VERSIONS_DIFFER";

/** @returns in words how the move ended that was under way while its destination's agent was upgraded */
export async function upgrade(cluster: Cluster): Promise<string> {
  const { a, b } = cluster;
  cluster.say("upgrading the server and the agent of a, with the VM on a");
  const pid = await qemuOf(a);
  await aptInstall(a, "now", ["godwit", "godwit-server", "godwit-agent"]);
  equal(await qemuOf(a), pid, "the upgrade ended the VM's QEMU");
  await cluster.runsOn(a);
  await cluster.untilAlarm(b, differ, true);
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const)
    await cluster.move(from, to);

  const move = await cluster.beginSlowMove(b);
  await agentTo(cluster, b, "now");
  const how = await move.ended();
  cluster.say(`the move under way while b was upgraded ${how === "succeeded" ? "went on" : "was undone"}`);
  const here = how === "succeeded" ? b : a;
  await cluster.runsOn(here);
  await cluster.untilAlarm(b, differ, false);
  if (here === a) await cluster.move(a, b);

  cluster.say("taking b back to the version before, with the VM on it");
  const before = await qemuOf(b);
  await agentTo(cluster, b, "before");
  equal(await qemuOf(b), before, "going back ended the VM's QEMU");
  await cluster.untilAlarm(b, differ, true);
  await cluster.move(b, a);
  await cluster.move(a, b);
  await agentTo(cluster, b, "now");
  await cluster.untilAlarm(b, differ, false);
  await cluster.move(b, a);
  return how;
}

async function agentTo({ say }: Cluster, machine: Machine, version: Version): Promise<void> {
  say(
    `installing the agent of ${version === "now" ? "this version" : "the version before"} on ${machine.name}`,
  );
  await aptInstall(machine, version, ["godwit", "godwit-agent"], ["--allow-downgrades"]);
  await machine.run("systemctl", "is-active", "godwit-agent");
}

async function qemuOf(machine: Machine): Promise<string> {
  const pids = (await machine.run("pgrep", "qemu-system")).trim();
  ok(/^\d+$/.test(pids), `QEMUs on ${machine.name}: ${pids}`);
  return pids;
}
