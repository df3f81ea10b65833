/** Processes die, or stand still for 10 s: the daemons, virsh, the QEMUs. */
import type { Fault } from "./fault.ts";
import { daemonOf, qemuOn, roles, signal, virshOn, type Role, type Scene } from "./scene.ts";

const stillMs = 10_000;
/** systemd's RestartSec: libvirtd.service has Restart=on-failure and KillMode=process, so QEMUs live on. */
const restartMs = 100;

const virshOf = async ({ lab, hosts }: Scene) => await virshOn(lab, hosts.source);

const daemonFaults = (role: Role): Fault[] => [
  {
    name: `${role} libvirtd killed`,
    lastsMs: restartMs,
    begin: async (scene) => {
      await signal(daemonOf(scene, role), "SIGKILL");
    },
    end: async ({ peer, hosts }) => {
      await peer.host(hosts[role]).startDaemon("libvirtd");
    },
  },
  {
    name: `${role} libvirtd still 10 s`,
    lastsMs: stillMs,
    begin: async (scene) => {
      await signal(daemonOf(scene, role), "SIGSTOP");
    },
    end: async (scene) => {
      await signal(daemonOf(scene, role), "SIGCONT");
    },
    stops: (scene) => daemonOf(scene, role),
  },
];

const qemuFaults = (role: Role): Fault[] => [
  {
    name: `${role} QEMU killed`,
    lastsMs: null,
    begin: async (scene) => {
      await signal(await qemuOn(scene, role), "SIGKILL");
    },
    kills: role,
  },
  {
    name: `${role} QEMU still 10 s`,
    lastsMs: stillMs,
    begin: async (scene) => {
      await signal(await qemuOn(scene, role), "SIGSTOP");
    },
    end: async (scene) => {
      await signal(await qemuOn(scene, role), "SIGCONT");
    },
  },
];

export const processFaults: readonly Fault[] = [
  ...roles.flatMap(daemonFaults),
  {
    name: "virsh killed",
    lastsMs: null,
    begin: async (scene) => {
      await signal(await virshOf(scene), "SIGKILL");
    },
  },
  {
    name: "virsh still 10 s",
    lastsMs: stillMs,
    begin: async (scene) => {
      await signal(await virshOf(scene), "SIGSTOP");
    },
    end: async (scene) => {
      await signal(await virshOf(scene), "SIGCONT");
    },
  },
  ...roles.flatMap(qemuFaults),
];
