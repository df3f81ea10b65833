/** The story itself: installation, a VM's life, upgrades, backup, removal. Each step ends with what must hold then. */
import { deepStrictEqual as equal, ok } from "node:assert/strict";
import { backUp, purge, restore } from "./backup.ts";
import { aptInstall, type Cluster, type Move } from "./cluster.ts";
import type { Machine } from "./machine.ts";
import { upgradeQemu } from "./qemu-upgrade.ts";
import { upgrade } from "./upgrade.ts";

export interface StoryResult {
  servers: { name: string; debian: string; kernel: string; qemu: string; accelerator: string }[];
  storage: string[];
  /** Of a bare machine with Debian's packages at hand, in seconds. */
  seconds: { install: number; untilFirstMove: number; all: number };
  moves: Move[];
  /** As systemd-analyze security counts it: 0 to 10, less is better. */
  exposure: { server: number; agent: number };
  /** How the move ended that was under way while an agent was upgraded; null: nothing was upgraded. */
  upgrade: string | null;
}

/**
 * @param isUpgraded whether the version before is installed first, and upgraded
 * @throws AssertionError at the first thing that does not hold, PROGRAM_FAILED
 */
export async function tell(cluster: Cluster, isUpgraded: boolean): Promise<StoryResult> {
  const { a, b } = cluster;
  const began = performance.now();
  await cluster.install(isUpgraded ? "before" : "now");
  const install = seconds(began);
  await cluster.initServer();
  for (const machine of cluster.machines) await cluster.join(machine);
  await cluster.startVm();
  const moves = [await cluster.move(a, b)];
  const untilFirstMove = seconds(began);
  moves.push(await cluster.move(b, a));
  const how = isUpgraded ? await upgrade(cluster) : null;
  const exposure = {
    server: await cluster.exposure("godwit-server"),
    agent: await cluster.exposure("godwit-agent"),
  };
  ok(exposure.server <= 3, `godwit-server has exposure ${String(exposure.server)}`);
  const servers = await Promise.all(cluster.machines.map((machine) => serverOf(cluster, machine)));
  await upgradeQemu(cluster);
  await outliveAgent(cluster);
  await backUp(cluster);
  await purge(cluster);
  await restore(cluster);
  const storage = ["a folder that both hosts see"];
  const all = seconds(began);
  return { servers, storage, seconds: { install, untilFirstMove, all }, moves, exposure, upgrade: how };
}

/** The agent is stopped, installed again and refused to be removed below the running VM. */
async function outliveAgent(cluster: Cluster): Promise<void> {
  const { a, say } = cluster;
  say("stopping, reinstalling and removing the agent below the running VM");
  await a.run("systemctl", "stop", "godwit-agent");
  await cluster.runsOn(a);
  await a.run("systemctl", "start", "godwit-agent");
  await aptInstall(a, "now", ["godwit", "godwit-agent"], ["--reinstall"]);
  await cluster.runsOn(a);
  const removal = await a.try("apt-get", "remove", "-y", "godwit-agent");
  // What maintainer scripts say passes through dpkg's terminal.
  const told = `${removal.stdout}\n${removal.stderr}`;
  ok(removal.exitCode !== 0 && told.includes("VMs run on this host"), told);
  equal((await a.run("systemctl", "is-active", "godwit-agent")).trim(), "active");
  await cluster.runsOn(a);
}

/** What the machine is, by its own word and its agent's. */
async function serverOf({ a }: Cluster, machine: Machine): Promise<StoryResult["servers"][number]> {
  const shown = await a.run("godwit", "host", "show", machine.name, "--json");
  const { facts } = JSON.parse(shown) as { facts: { qemu: { version: string; accelerator: string } } };
  return {
    name: machine.name,
    debian: (await machine.read("/etc/debian_version")).trim(),
    kernel: (await machine.run("uname", "-r")).trim(),
    qemu: facts.qemu.version,
    accelerator: facts.qemu.accelerator,
  };
}

const seconds = (since: number): number => Math.round((performance.now() - since) / 100) / 10;
