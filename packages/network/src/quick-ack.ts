/**
 * Quick acknowledgement (`quickack`) on the route of the migration network. QEMU's last small segments otherwise wait
 * for the kernel's delayed acknowledgement, some 40 ms, while the guest stands still; the kernel's switch
 * for that is a property of the route.
 */
import { BlockList } from "node:net";
import { isIpv6, normalAddress } from "@godwit/contract";
import { run } from "@godwit/system";
import { z } from "zod";
import { listInterfaces } from "./iproute.ts";

const routesSchema = z.array(
  z.object({
    dst: z.string(),
    protocol: z.string().optional(),
    /** IPv4 only: in an IPv6 route `ip` prints none. */
    prefsrc: z.string().transform(normalAddress).optional(),
    gateway: z.string().optional(),
    metric: z.number().optional(),
    /** `quickack` is one of its metrics. */
    metrics: z.array(z.record(z.string(), z.unknown())).optional(),
  }),
);
type Route = z.infer<typeof routesSchema>[number];

/**
 * Sets it on the connected route of this address; one that has it already is left alone.
 * @param address as `normalAddress` writes it
 * @returns whether there is such a route
 * @throws PROGRAM_FAILED
 */
export async function enableQuickAck(address: string): Promise<boolean> {
  const [plain = address] = address.split("%", 1);
  const found = (await listInterfaces()).find(({ addr_info: addresses }) =>
    addresses.some(({ local }) => local === plain),
  );
  const prefixLength = found?.addr_info.find(({ local }) => local === plain)?.prefixlen;
  if (found === undefined || prefixLength === undefined) return false;
  const family = isIpv6(plain) ? "-6" : "-4";
  const { stdout } = await run("ip", [family, "-json", "route", "show", "dev", found.ifname], {
    what: "looking at the migration network's route",
  });
  const route = routesSchema.parse(JSON.parse(stdout)).find((one) => isConnected(one, plain, prefixLength));
  if (route === undefined) return false;
  if (JSON.stringify(route.metrics ?? []).includes("quickack")) return true;
  const { dst, protocol = "kernel", metric } = route;
  await run(
    "ip",
    [
      ...[family, "route", "change", dst, "dev", found.ifname, "proto", protocol],
      ...(family === "-4" ? ["scope", "link", "src", plain] : []),
      ...(metric === undefined ? [] : ["metric", String(metric)]),
      ...["quickack", "1"],
    ],
    { what: `setting quick acknowledgement on ${dst}` },
  );
  return true;
}

/** The route of the network that the address with its prefix is in, and of no other address of the interface. */
function isConnected({ dst, prefsrc, gateway }: Route, address: string, prefixLength: number): boolean {
  const [network = "", length] = dst.split("/", 2);
  if (gateway !== undefined || Number(length) !== prefixLength) return false;
  if (prefsrc !== undefined) return prefsrc === address;
  const family = isIpv6(address) ? "ipv6" : "ipv4";
  const block = new BlockList();
  block.addSubnet(network, prefixLength, family);
  return block.check(address, family);
}
