/**
 * A tap connects one NIC of a VM to a bridge. It is made before QEMU starts, belongs to QEMU's user
 * (who needs no rights of its own then) and outlives QEMU. Creating one that is there and deleting one
 * that is not are both fine; an interface of the same name that is not such a tap is never touched.
 */
import { readFile } from "node:fs/promises";
import { GodwitError, nicNumber, type Vm } from "@godwit/contract";
import { run } from "@godwit/system";
import { vlanOfTap } from "./switch-plan.ts";
import { changeInterfaces, findInterface, listInterfaces, type Interface } from "./iproute.ts";

export interface TapSpec {
  name: string;
  /** Null: in none. */
  bridge: string | null;
  /** The user that QEMU runs as: its name, or its number where it has none. */
  owner: string;
  /** Default: the bridge's, which a smaller port would lower for everyone. */
  mtu?: number;
  /** Of a bridge that filters by VLAN: what its guest is in, without seeing a tag; 0: frames without one. Absent: another bridge. */
  vlan?: number;
}

const ownName = /^gw[0-9a-f]{10}\d{1,3}$/;

/** The tap of a VM's NIC: the same on every host, 13 to 15 characters. @param number of the NIC */
export function tapName(vmId: string, number: number): string {
  return `gw${vmId.replaceAll("-", "").slice(0, 10)}${String(number)}`;
}

/** Of a VM's NICs, in their order. */
export const tapsOf = ({ id, nics }: Pick<Vm, "id" | "nics">): string[] =>
  nics.map((nic, position) => tapName(id, nicNumber(nic, position)));

/**
 * Makes a VM's taps, up and in their bridges. It is in a move's total time: one call of `ip` where
 * none exists yet (about 10 ms).
 * @throws NETWORK_BRIDGE_MISSING, NETWORK_INTERFACE_TAKEN, PROGRAM_FAILED; none of them is left behind then
 */
export async function createTaps(specs: readonly TapSpec[]): Promise<void> {
  if (specs.length === 0) return;
  const scripts = await Promise.all(
    specs.map(async (spec) => ({
      spec,
      create: `tuntap add dev ${spec.name} mode tap user ${spec.owner}`,
      connect: await connectLine(spec),
    })),
  );
  try {
    const lines = scripts.flatMap(({ create, connect }) => [create, connect]);
    await changeInterfaces(lines, `creating ${specs.map(words).join(", ")}`);
    await setVlans(specs);
  } catch {
    // A tap of an earlier attempt, which is used, or an error: creating them one by one shows which.
    const made: string[] = [];
    try {
      for (const { spec, create, connect } of scripts) {
        await createOneByOne(spec, create, connect);
        made.push(spec.name);
      }
    } catch (error) {
      await deleteTaps(made);
      throw error;
    }
  }
}

/** Makes one tap, as `createTaps` does. */
export async function createTap(spec: TapSpec): Promise<void> {
  await createTaps([spec]);
}

/**
 * Puts a tap that is there into the bridge that it is to be in, with the VLAN of that alone.
 * @throws NETWORK_BRIDGE_MISSING, PROGRAM_FAILED: then it is in none
 */
export async function moveTap(spec: TapSpec): Promise<void> {
  const found = await findInterface(spec.name);
  if (found === null || !isTap(found))
    throw GodwitError.of("NETWORK_INTERFACE_TAKEN", { interface: spec.name, bridge: spec.bridge ?? "" });
  const connect = await connectLine(spec);
  const input = `link set dev ${spec.name} nomaster\n${connect}`;
  await run("ip", ["-batch", "-"], { what: `connecting ${words(spec)}`, input });
  await setVlans([spec]);
}

/** Removes taps; those that are not there are passed over. @throws NETWORK_INTERFACE_TAKEN when a name is no tap's */
export async function deleteTaps(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  try {
    await changeInterfaces(
      names.map(deleteLine),
      `deleting ${names.map((name) => `tap ${name}`).join(", ")}`,
    );
  } catch {
    // One that is not there, or an error: deleting them one by one shows which.
    for (const name of names) await deleteTap(name);
  }
}

/** Removes one tap, as `deleteTaps` does. */
export async function deleteTap(name: string): Promise<void> {
  try {
    await changeInterfaces([deleteLine(name)], `deleting tap ${name}`);
  } catch (error) {
    const found = await findInterface(name);
    if (found === null) return;
    if (!isTap(found)) {
      const details = { interface: name, bridge: found.master ?? "" };
      throw GodwitError.of("NETWORK_INTERFACE_TAKEN", details, { cause: error });
    }
    throw error;
  }
}

/** The taps that Godwit made on this host, for finding left-over ones. */
export async function listTaps(): Promise<string[]> {
  const interfaces = await listInterfaces();
  return interfaces.filter((found) => ownName.test(found.ifname) && isTap(found)).map(({ ifname }) => ifname);
}

async function createOneByOne(spec: TapSpec, create: string, connect: string): Promise<void> {
  const what = `creating ${words(spec)}`;
  const before = await findInterface(spec.name);
  if (before !== null && (!isTap(before) || before.linkinfo?.info_data?.user !== spec.owner)) {
    throw GodwitError.of("NETWORK_INTERFACE_TAKEN", { interface: spec.name, bridge: spec.bridge ?? "" });
  }
  try {
    await changeInterfaces(before === null ? [create, connect] : [connect], what);
    await setVlans([spec]);
  } catch (error) {
    await deleteTap(spec.name);
    throw error;
  }
}

/** Until then the bridge lets nothing through at these ports. */
async function setVlans(specs: readonly TapSpec[]): Promise<void> {
  const lines = specs.flatMap(({ name, vlan }) =>
    vlan === undefined ? [] : [`vlan add dev ${name} vid ${String(vlanOfTap(vlan).vid)} pvid untagged\n`],
  );
  if (lines.length === 0) return;
  const what = `setting the VLANs of ${specs.map(words).join(", ")}`;
  await run("bridge", ["-batch", "-"], { what, input: lines.join("") });
}

const deleteLine = (name: string): string => `tuntap del dev ${name} mode tap`;

/** Without an IPv6 address of the tap the host sends nothing to the guest's network. */
async function connectLine({ name, bridge, mtu }: TapSpec): Promise<string> {
  if (bridge === null) return `link set dev ${name} addrgenmode none nomaster up\n`;
  const bytes = mtu ?? (await bridgeMtu(bridge, name));
  return `link set dev ${name} addrgenmode none mtu ${String(bytes)} master ${bridge} up`;
}

async function bridgeMtu(bridge: string, tap: string): Promise<number> {
  try {
    return Number(await readFile(`/sys/class/net/${bridge}/mtu`, "utf8"));
  } catch (error) {
    throw GodwitError.of("NETWORK_BRIDGE_MISSING", { bridge, interface: tap }, { cause: error });
  }
}

const isTap = (found: Interface): boolean => found.linkinfo?.info_data?.type === "tap";
const words = ({ name, bridge }: TapSpec): string =>
  `tap ${name} in ${bridge === null ? "no bridge" : `bridge ${bridge}`}`;
