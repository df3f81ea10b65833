/** The addresses of a VM's guest: asked for, waited for, shown. */
import type { Answer, serverOperations } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { sleep } from "@godwit/system";
import type { Api } from "./connection.ts";
import { formatTable } from "./output/format.ts";

export type FoundAddresses = Answer<(typeof serverOperations)["vmAddresses"]>;

export const defaultWaitMs = 5 * 60_000;
const lookEveryMs = 2000;

/** @throws VM_ADDRESS_UNKNOWN where the guest has none, or only such as nobody beyond its link reaches it by */
export async function askAddresses(api: Api, vm: string): Promise<FoundAddresses> {
  const found = await api.call("vmAddresses", { params: { vm } });
  if (found.addresses.some(({ isLinkLocal }) => !isLinkLocal)) return found;
  throw GodwitError.of("VM_ADDRESS_UNKNOWN", {
    ...{ vm: found.vm, host: found.host, linkLocalOnly: found.addresses.length > 0 },
    reason: found.withoutGuestAgent ?? "its guest agent tells none",
  });
}

/** The same of a guest that still boots. @throws VM_ADDRESS_UNKNOWN when there is none within `limitMs` */
export async function awaitAddresses(
  api: Api,
  vm: string,
  limitMs: number,
  everyMs = lookEveryMs,
): Promise<FoundAddresses> {
  const end = performance.now() + limitMs;
  for (;;) {
    try {
      return await askAddresses(api, vm);
    } catch (error) {
      if (!GodwitError.is(error, "VM_ADDRESS_UNKNOWN") || performance.now() >= end) throw error;
    }
    await sleep(everyMs); // no guest tells anybody that it has got an address
  }
}

/** The one to reach the guest by. */
export const firstAddress = ({ addresses }: FoundAddresses): string =>
  addresses.find(({ isLinkLocal }) => !isLinkLocal)?.address ?? "";

export const addressesText = ({ addresses, host }: FoundAddresses): string =>
  formatTable([
    ["ADDRESS", "NIC", "PORT GROUP", "MAC", "SOURCE"],
    ...addresses.map(({ address, nic, portGroup, mac, source, isLinkLocal }) => [
      isLinkLocal ? `${address} (link-local)` : address,
      String(nic),
      portGroup,
      mac,
      source === "guestAgent" ? "guest agent" : `neighbour table of host ${host}`,
    ]),
  ]);
