/** Where VMs go: at first, and every five minutes after that. */
import type { Datacenter, Host, Vm } from "./datacenter.ts";

export interface Move {
  vm: Vm;
  to: Host;
}

export interface Policy {
  readonly name: string;
  /** The host of a VM that is started; each VM wants all of its MIPS then. */
  first: (center: Datacenter, vm: Vm) => Host;
  /** The moves of a round. @param seconds since the start */
  round: (center: Datacenter, seconds: number) => Move[];
  /** Hosts that are empty stay on, and all hosts take all of their power. */
  readonly fullPower?: boolean;
}

/** MIPS and memory that are wanted of a host by VMs that have just been started. */
export function fitsAtStart(host: Host, vm: Vm): boolean {
  let mips = vm.type.mips;
  let memory = vm.type.memoryMb;
  for (const other of host.vms) {
    mips += other.type.mips;
    memory += other.type.memoryMb;
  }
  return vm.type.mips <= host.type.mipsPerCore && mips <= host.mips && memory <= host.type.memoryMb;
}

export function firstFit({ hosts }: Datacenter, vm: Vm): Host {
  const host = hosts.find((one) => fitsAtStart(one, vm));
  if (host === undefined) throw new Error(`No host has room for VM ${String(vm.index)}.`);
  return host;
}
