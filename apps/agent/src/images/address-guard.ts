/**
 * Which addresses an image is downloaded from: those of the public Internet, and what the administrator allows. So nobody who
 * may add an image can have a host ask its own services, its management network or a cloud's metadata. Pure.
 */
import { BlockList, isIP } from "node:net";

const reserved = new BlockList();
for (const [network, prefix] of [
  ...([
    ["0.0.0.0", 8],
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
    ["169.254.0.0", 16],
  ] as const),
  ...([
    ["172.16.0.0", 12],
    ["192.0.0.0", 24],
    ["192.0.2.0", 24],
    ["192.88.99.0", 24],
  ] as const),
  ...([
    ["192.168.0.0", 16],
    ["198.18.0.0", 15],
    ["198.51.100.0", 24],
    ["203.0.113.0", 24],
  ] as const),
  ...([["224.0.0.0", 3]] as const),
] as const)
  reserved.addSubnet(network, prefix, "ipv4");
/** Of IPv6 only global unicast is asked, without what leads to IPv4 addresses or is for documents. */
const globalUnicast = new BlockList();
globalUnicast.addSubnet("2000::", 3, "ipv6");
for (const [network, prefix] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const)
  reserved.addSubnet(network, prefix, "ipv6");

/** `10.1.0.0/16`, `fd00::/8`, or one address. @throws Error when it is none of these */
export function networksOf(allowed: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of allowed) {
    const [address = "", prefix] = text.split("/");
    const version = isIP(address);
    if (version === 0) throw new Error(`${text} is no network`);
    const family = version === 4 ? "ipv4" : "ipv6";
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

/** @param address an IP address. @param own those of this host */
export function mayAsk(address: string, allowed: BlockList, own: readonly string[] = []): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  const version = isIP(plain);
  if (version === 0) return false;
  const family = version === 4 ? "ipv4" : "ipv6";
  if (allowed.check(plain, family)) return true;
  if (own.includes(plain)) return false;
  return !reserved.check(plain, family) && (family === "ipv4" || globalUnicast.check(plain, family));
}
