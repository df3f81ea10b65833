/** The host that performs a command on a VM. */
import { GodwitError, type VmView } from "@godwit/contract";
import { decideVmCommand, type VmCommand } from "@godwit/placement";
import { hostWithFolder } from "../moves/find-folder.ts";
import type { Services } from "../services.ts";

/** Of a host that may be off, for which an operator waits. */
const answerLimitMs = 2000;

/** @throws VM_RUNNING, VM_MAY_RUN, VM_NOT_RUNNING, HOST_UNKNOWN, HOST_UNREACHABLE, VM_FOLDER_NOT_FOUND */
export async function hostFor(
  services: Services,
  command: VmCommand,
  vm: VmView,
  named?: string,
): Promise<string> {
  const { store, hosts } = services;
  const home =
    (await store.hosts.find(vm.host)) === null ? "removed" : hosts.isUp(vm.host) ? "connected" : "silent";
  const namesAnother = named !== undefined && named !== vm.host;
  const decision = decideVmCommand(command, { state: vm.state, home, namesAnother });
  switch (decision) {
    case "VM_RUNNING":
      throw home === "silent"
        ? GodwitError.of("VM_MAY_RUN", { vm: vm.name, host: vm.host })
        : presentError(vm, command);
    case "VM_NOT_RUNNING":
      throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: vm.state });
    case "other":
      return await hostWithFolder(services, vm);
    case "named": {
      const host = named ?? vm.host;
      await reachable(services, host);
      return home === "removed" ? await hostWithFolder(services, vm, host) : host;
    }
    case "home":
    case "HOST_UNREACHABLE":
      await reachable(services, vm.host);
      return vm.host;
    case "inventory":
      return vm.host;
  }
}

/** @throws HOST_UNKNOWN, HOST_UNREACHABLE before a task is entered for a host that is down */
export async function reachable({ store, hosts }: Services, name: string): Promise<void> {
  const host = await store.hosts.show(name);
  // An agent that was started again answers some seconds before its events flow again.
  if (hosts.isUp(name) || (await hosts.of(name).answers(answerLimitMs))) return;
  throw GodwitError.of("HOST_UNREACHABLE", {
    host: name,
    url: host.agentUrl,
    reason: host.unreachableReason ?? "its agent is not connected",
  });
}

/** Why a VM that has a process can not be started, deleted or forgotten. */
const presentError = ({ name: vm, host, state, pauseReason }: VmView, command: VmCommand): GodwitError =>
  state === "paused" && command === "start"
    ? GodwitError.of("VM_PAUSED", { vm, host, reason: pauseReason })
    : GodwitError.of("VM_RUNNING", { vm, host });
