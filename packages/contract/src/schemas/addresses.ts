/**
 * IP addresses and ports. One address has many texts (`FD00:2::0:11`, `fd00:2::11`; `::ffff:10.0.2.11`, `10.0.2.11`):
 * whatever comes in is brought to the kernel's own text here, so that texts can be compared everywhere else.
 */
import { z } from "zod";

/** An IPv4 or IPv6 address, the latter with its interface where it is a link-local one; never a host name. */
export const ipAddressSchema = z.union(
  [
    z.ipv4(),
    z.ipv6(),
    z.string().regex(/^fe80:[0-9A-Fa-f:]{1,40}%[A-Za-z0-9._-]{1,15}$/i, "must be a link-local IPv6 address"),
  ],
  "must be an IP address",
);
export const portSchema = z.int().min(1).max(65_535);

/** Ports that incoming migrations listen on, both ends included. */
export const portRangeSchema = z
  .object({ first: portSchema, last: portSchema })
  .refine(({ first, last }) => first <= last, "the first port must not be above the last");
export type PortRange = z.infer<typeof portRangeSchema>;

/** `https://HOST:PORT` of an agent, and nothing more. */
export const agentUrlSchema = z
  .string()
  .max(300)
  .regex(
    /^https:\/\/(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\])(?::\d{1,5})?\/?$/,
    "must be https://HOST:PORT",
  );

/**
 * The kernel's text for an address: lower case, zeros compressed as RFC 5952 says, an IPv4 address that is mapped to
 * IPv6 as IPv4. An interface after `%` stays. What is no address stays as it is.
 */
export function normalAddress(text: string): string {
  const [address = "", zone] = text.split("%", 2);
  if (!address.includes(":") || !URL.canParse(`http://[${address}]/`)) return text;
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (mapped !== null) {
    const [high, low] = [mapped[1], mapped[2]].map((part) => Number.parseInt(part ?? "", 16));
    return [high, low].flatMap((part = 0) => [part >> 8, part & 255]).join(".");
  }
  return zone === undefined ? canonical : `${canonical}%${zone}`;
}

export const isIpv6 = (address: string): boolean => address.includes(":");

/** A link-local address means another host on every link: its interface is one of the host that uses it. */
export const isLinkLocal = (address: string): boolean => /^fe[89ab]/i.test(address) && isIpv6(address);

/** Another host's address as this host must write it: a link-local one with this host's own interface. */
export function seenFrom(own: string, address: string): string {
  const zone = own.split("%", 2)[1];
  return isLinkLocal(address) && zone !== undefined ? `${address.split("%", 1)[0] ?? ""}%${zone}` : address;
}

/** `10.0.2.11:8444`, `[fd00:2::11]:8444`: as URLs and QEMU want it. */
export const hostAndPort = (address: string, port: number): string =>
  `${isIpv6(address) ? `[${address}]` : address}:${String(port)}`;
