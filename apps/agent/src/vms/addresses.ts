/**
 * Where a VM's guest is reached: its guest agent knows, where it has one; else this host may have talked with it. Neither
 * is proof, so each address tells where it comes from.
 */
import {
  GodwitError,
  isIpv6,
  isLinkLocal,
  mostGuestAddresses,
  type GuestAddress,
  type GuestAddresses,
  type Vm,
  type VmId,
} from "@godwit/contract";
import { guestInterfaces, type GuestInterface, type QemuProcess } from "@godwit/hypervisor";
import { neighbours } from "@godwit/network";
import type { Processes } from "../qemu/processes.ts";

const guestLimitMs = 3000;

/** @throws VM_NOT_RUNNING */
export async function readAddresses(processes: Processes, id: VmId): Promise<GuestAddresses> {
  const process = processes.of(id);
  const state = processes.stateOf(id);
  if (process === undefined || (state !== "running" && state !== "paused"))
    throw GodwitError.of("VM_NOT_RUNNING", {
      vm: process?.spec.vm.name ?? id,
      state: state ?? "not on this host",
    });
  const { vm } = process.spec;
  const told = await askGuest(process);
  if (typeof told !== "string")
    return { addresses: addressesOf(vm, told, "guestAgent"), withoutGuestAgent: null };
  const seen = (await neighbours()).map(({ mac, address }) => ({ mac, addresses: [address] }));
  return { addresses: addressesOf(vm, seen, "neighbourTable"), withoutGuestAgent: told };
}

/** @returns why it tells nothing, the end of a sentence */
async function askGuest({ spec, paths }: QemuProcess): Promise<GuestInterface[] | string> {
  if (spec.vm.guestAgent !== true) return "its description has no guest agent";
  try {
    return await guestInterfaces(paths.guestAgent, guestLimitMs);
  } catch (error) {
    return `its guest agent told none (${error instanceof Error ? error.message.slice(0, 300) : "unknown"})`;
  }
}

const isOfLinkOnly = (address: string): boolean => isLinkLocal(address) || address.startsWith("169.254.");

/** Those of the VM's NICs, in their order; of each NIC the ones first by which others reach it, IPv4 before IPv6. Pure. */
export function addressesOf(
  vm: Pick<Vm, "nics">,
  interfaces: readonly GuestInterface[],
  source: GuestAddress["source"],
): GuestAddress[] {
  return vm.nics
    .flatMap(({ mac, portGroup }, nic) => {
      const own = interfaces.filter((one) => one.mac === mac).flatMap(({ addresses }) => addresses);
      const rank = (address: string) => (isOfLinkOnly(address) ? 2 : 0) + (isIpv6(address) ? 1 : 0);
      return [...new Set(own)]
        .sort((a, b) => rank(a) - rank(b))
        .map((address) => ({ nic, portGroup, mac, address, isLinkLocal: isOfLinkOnly(address), source }));
    })
    .slice(0, mostGuestAddresses);
}
