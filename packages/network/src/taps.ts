/**
 * A tap connects one NIC of a VM to a bridge. It is made before QEMU starts, belongs to QEMU's user
 * (who needs no rights of its own then) and outlives QEMU. Creating one that is there and deleting one
 * that is not are both fine; an interface of the same name that is not such a tap is never touched.
 */
import { readFile } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";
import { findInterface, listInterfaces, type Interface } from "./iproute.ts";

export interface TapSpec {
  name: string;
  bridge: string;
  /** The user that QEMU runs as. */
  owner: string;
  /** Default: the bridge's, which a smaller port would lower for everyone. */
  mtu?: number;
}

const ownName = /^gw[0-9a-f]{10}\d{1,3}$/;

/** The tap of a VM's NIC: the same on every host, 13 to 15 characters. */
export function tapName(vmId: string, nicIndex: number): string {
  return `gw${vmId.replaceAll("-", "").slice(0, 10)}${String(nicIndex)}`;
}

/**
 * Makes a tap, up and in its bridge. It is in a move's total time: one call of `ip` where nothing is in the way.
 * @throws NETWORK_BRIDGE_MISSING, NETWORK_INTERFACE_TAKEN, PROGRAM_FAILED; no tap is left behind then
 */
export async function createTap({ name, bridge, owner, mtu }: TapSpec): Promise<void> {
  const what = `creating tap ${name} in bridge ${bridge}`;
  const tapMtu = mtu ?? (await bridgeMtu(bridge, name));
  // Without an address of its own the host stays silent on the guest's wire.
  const connect = `link set dev ${name} addrgenmode none mtu ${String(tapMtu)} master ${bridge} up\n`;
  const create = `tuntap add dev ${name} mode tap user ${owner}\n`;
  try {
    await run("ip", ["-batch", "-"], { what, input: create + connect });
  } catch (error) {
    const found = await findInterface(name);
    if (found === null) throw error;
    if (!isTap(found) || found.linkinfo?.info_data?.user !== owner) {
      throw GodwitError.of("NETWORK_INTERFACE_TAKEN", { interface: name, bridge }, { cause: error });
    }
    // It was there before, or its second half failed: what is left to do is the same.
    try {
      await run("ip", ["-batch", "-"], { what, input: connect });
    } catch (second) {
      await deleteTap(name);
      throw second;
    }
  }
}

/** Removes a tap; one that is not there is fine. @throws NETWORK_INTERFACE_TAKEN when the name is no tap's */
export async function deleteTap(name: string): Promise<void> {
  try {
    await run("ip", ["tuntap", "del", "dev", name, "mode", "tap"], { what: `deleting tap ${name}` });
  } catch (error) {
    const found = await findInterface(name);
    if (found === null) return;
    if (!isTap(found)) {
      throw GodwitError.of("NETWORK_INTERFACE_TAKEN", { interface: name, bridge: found.master ?? "" });
    }
    throw error;
  }
}

/** The taps that Godwit made on this host, for finding left-over ones. */
export async function listTaps(): Promise<string[]> {
  const interfaces = await listInterfaces();
  return interfaces.filter((found) => ownName.test(found.ifname) && isTap(found)).map(({ ifname }) => ifname);
}

const isTap = (found: Interface): boolean => found.linkinfo?.info_data?.type === "tap";

async function bridgeMtu(bridge: string, tap: string): Promise<number> {
  try {
    return Number(await readFile(`/sys/class/net/${bridge}/mtu`, "utf8"));
  } catch (error) {
    throw GodwitError.of("NETWORK_BRIDGE_MISSING", { bridge, interface: tap }, { cause: error });
  }
}
