/** A program is killed, or stands still for ten seconds. */
import { readdir, readFile } from "node:fs/promises";
import { qemuProcessesOf } from "@godwit/lab";
import { endProcess, identifyProcess, signalProcess, sleep, type ProcessIdentity } from "@godwit/system";
import type { Fault, Heal, Scene } from "../fault.ts";
import { between, type Phase } from "../phases.ts";

const stopMs = 10_000;
/** What init systems leave between an end and the next start. */
const restartMs = 1000;

interface Program {
  name: string;
  /** Its processes; the first is killed, all are stopped. */
  find: (scene: Scene) => Promise<ProcessIdentity[]>;
  /** Starts it again; absent: nobody does. */
  restart?: (scene: Scene) => Promise<void>;
  impossible?: readonly Phase[];
  fatal?: readonly Phase[];
}

const agent = (role: "source" | "destination"): Program => ({
  name: `${role}-agent`,
  find: async (scene) => known(scene.lab.lab.host(scene[role]).agent),
  restart: (scene) => scene.lab.lab.host(scene[role]).startAgent(),
});

const qemu = (role: "source" | "destination"): Program => ({
  name: `${role}-qemu`,
  find: async (scene) => {
    const found = await qemuProcessesOf(scene.lab.lab);
    const pid = found.find(({ host, vmId }) => host === scene[role] && vmId === scene.vm.id)?.pid;
    return known(pid === undefined ? null : await identifyProcess(pid));
  },
  impossible: role === "source" ? ["lease-converted"] : ["validated"],
  fatal: role === "source" ? between("validated", "stopped") : between("committed", "lease-converted"),
});

const programs: readonly Program[] = [
  agent("source"),
  agent("destination"),
  qemu("source"),
  qemu("destination"),
  {
    name: "server",
    find: async ({ lab }) => known(lab.lab.server.process),
    restart: ({ lab }) => lab.lab.server.start(),
  },
  {
    // The server itself starts it again.
    name: "postgres",
    find: async ({ lab }) => {
      const [postmaster] = known(await lab.lab.server.postgresProcess());
      return postmaster === undefined ? [] : [postmaster, ...(await childrenOf(postmaster.pid))];
    },
  },
];

export const processFaults: readonly Fault[] = programs.flatMap((program) => [kill(program), stop(program)]);

function kill({ name, find, restart, impossible, fatal }: Program): Fault {
  return {
    name: `kill-${name}`,
    ...(impossible === undefined ? {} : { impossible }),
    ...(fatal === undefined ? {} : { fatal }),
    inject: async (scene): Promise<Heal> => {
      const [target] = await find(scene);
      if (target === undefined) throw new Error(`there is no ${name} to kill`);
      await endProcess(target, "SIGKILL", 0);
      return async () => {
        if (restart === undefined) return;
        await sleep(restartMs);
        await restart(scene);
      };
    },
  };
}

function stop({ name, find, impossible }: Program): Fault {
  return {
    name: `stop-${name}`,
    ...(impossible === undefined ? {} : { impossible }),
    inject: async (scene): Promise<Heal> => {
      const targets = await find(scene);
      if (targets.length === 0) throw new Error(`there is no ${name} to stop`);
      for (const target of targets) await signalProcess(target, "SIGSTOP");
      return async () => {
        await sleep(stopMs);
        for (const target of targets) await signalProcess(target, "SIGCONT");
      };
    },
  };
}

const known = (one: ProcessIdentity | null): ProcessIdentity[] => (one === null ? [] : [one]);

async function childrenOf(parent: number): Promise<ProcessIdentity[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const status = await readFile(`/proc/${String(pid)}/status`, "utf8").catch(() => "");
      return Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
    }),
  );
  const children = pids.filter((_, index) => parents[index] === parent);
  return (await Promise.all(children.map((pid) => identifyProcess(pid)))).flatMap((one) => known(one));
}
