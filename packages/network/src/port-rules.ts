/**
 * What a VM may send, as rules and sets of nftables in the family bridge. Pure. A frame with a VLAN tag is held to the
 * same rules: `meta protocol` is what is inside the tag, where `ether type` would be the tag.
 */

export interface SecuredPort {
  tap: string;
  /** The only one that it may send with; null: it may send with any. */
  mac: string | null;
  /** The only IP addresses that it may send from; null: it may send from any. */
  addresses: readonly string[] | null;
}

export const table = "bridge godwit";

/** The values are pairs of a tap and what it may use; of the first two, taps. */
const sets = {
  /** Taps whose MAC address is limited. */
  taps: "type ifname",
  /** Taps whose IP addresses are limited. */
  limited: "type ifname",
  addresses: "type ifname . ether_addr",
  /** The same as `addresses`, for the link-layer address in an option of neighbour discovery that comes first. */
  options: "typeof iifname . @th,208,48",
  optionsOfSolicitations: "typeof iifname . @th,80,48",
  ipv4: "type ifname . ipv4_addr",
  ipv6: "type ifname . ipv6_addr",
  /** The same as `ipv6`, for the address that a neighbour solicitation or advertisement is about. */
  targets: "typeof iifname . @th,64,128",
} as const;
export type SetName = keyof typeof sets;
export const setNames = Object.keys(sets) as SetName[];

export interface Element {
  set: SetName;
  text: string;
}

const icmp6 = "meta protocol ip6 meta l4proto 58";
const chains = {
  from_vms: ["iifname @taps jump mac_addresses", "iifname @limited jump ip_addresses"],
  mac_addresses: [
    "iifname . ether saddr != @addresses drop",
    'ether daddr 01:80:c2:00:00:00 drop comment "spanning tree is the switches\' affair"',
    'meta protocol { 8021q, 8021ad } drop comment "a second VLAN tag, which hides what is in it"',
    "meta protocol arp arp hlen != 6 drop",
    "meta protocol arp arp plen != 4 drop",
    "meta protocol arp iifname . arp saddr ether != @addresses drop",
    `${icmp6} @th,0,8 { 134, 137 } drop comment "router advertisements and redirects are routers' affair"`,
    // RFC 6980, and what can be told of a message without a loop: options in the order that all systems send them in.
    `${icmp6} @th,0,8 { 133, 135, 136 } @nh,48,8 != 58 drop`,
    `${icmp6} @th,0,8 133 jump router_solicitation`,
    `${icmp6} @th,0,8 135 jump neighbour_solicitation`,
    `${icmp6} @th,0,8 136 jump neighbour_advertisement`,
  ],
  router_solicitation: [
    "@nh,32,16 8 return",
    "@nh,32,16 16 @th,64,16 0x0101 iifname . @th,80,48 @optionsOfSolicitations return",
    "drop",
  ],
  // A source link-layer address, a nonce of RFC 7527, or both.
  neighbour_solicitation: [
    "@nh,32,16 24 return",
    "@nh,32,16 32 @th,192,16 0x0e01 return",
    "@nh,32,16 32 @th,192,16 0x0101 iifname . @th,208,48 @options return",
    "@nh,32,16 40 @th,192,16 0x0101 @th,256,16 0x0e01 iifname . @th,208,48 @options return",
    "drop",
  ],
  neighbour_advertisement: [
    "@nh,32,16 24 return",
    "@nh,32,16 32 @th,192,16 0x0201 iifname . @th,208,48 @options return",
    "drop",
  ],
  ip_addresses: [
    // Whether an address is free (RFC 5227), and a DHCP client that has none yet.
    "meta protocol arp arp saddr ip != 0.0.0.0 iifname . arp saddr ip != @ipv4 drop",
    "meta protocol ip ip saddr 0.0.0.0 meta l4proto 17 @th,0,32 0x00440043 accept",
    "meta protocol ip iifname . ip saddr != @ipv4 drop",
    // The same for IPv6: duplicate address detection, router solicitations, listener reports.
    "meta protocol ip6 @nh,64,128 != 0 iifname . ip6 saddr != @ipv6 drop",
    "meta protocol ip6 @nh,64,128 0 meta l4proto != 58 drop",
    `${icmp6} @nh,64,128 0 @th,0,8 != { 131, 133, 135, 143 } drop`,
    `${icmp6} @nh,64,128 0 @th,0,8 135 iifname . @th,64,128 != @targets drop`,
    `${icmp6} @th,0,8 136 iifname . @th,64,128 != @targets drop`,
  ],
} as const;

/** Put in its place whole each time, and in one transaction: what others did to it does not last. */
export const rules = [
  `add table ${table}`,
  ...Object.entries(sets).map(([name, of]) => `add set ${table} ${name} { ${of}; }`),
  // A chain must be there before another jumps to it.
  ...Object.keys(chains).map((chain) =>
    chain === "from_vms"
      ? `add chain ${table} ${chain} { type filter hook prerouting priority -300; policy accept; }`
      : `add chain ${table} ${chain}`,
  ),
  ...Object.keys(chains).map((chain) => `flush chain ${table} ${chain}`),
  ...Object.entries(chains).flatMap(([chain, lines]) =>
    lines.map((line) => `add rule ${table} ${chain} ${line}`),
  ),
  "",
].join("\n");

/** What stands in the sets for a port. */
export function elementsFor({ tap, mac, addresses }: SecuredPort): Element[] {
  const pairs = (set: SetName, values: readonly string[]): Element[] =>
    values.map((value) => ({ set, text: `"${tap}" . ${value}` }));
  const number = `0x${(mac ?? "").replaceAll(":", "")}`;
  const macs: Element[] =
    mac === null
      ? []
      : [
          { set: "taps", text: `"${tap}"` },
          ...pairs("addresses", [mac]),
          ...pairs("options", [number]),
          ...pairs("optionsOfSolicitations", [number]),
        ];
  if (addresses === null) return macs;
  const ipv4 = addresses.filter((address) => !address.includes(":"));
  const ipv6 = addresses.filter((address) => address.includes(":")).map(hexOf);
  // Every interface has a link-local address, which this is unless the guest makes it in another way.
  if (mac !== null) ipv6.push(linkLocal(mac));
  return [
    ...macs,
    { set: "limited", text: `"${tap}"` },
    ...pairs("ipv4", [...new Set(ipv4)]),
    ...pairs(
      "ipv6",
      [...new Set(ipv6)].map((hex) => hex.replace(/(.{4})(?!$)/g, "$1:")),
    ),
    ...pairs(
      "targets",
      [...new Set(ipv6)].map((hex) => `0x${hex}`),
    ),
  ];
}

/** The 32 digits of an IPv6 address. */
export function hexOf(address: string): string {
  // The one spelling that remains: lower case, no dotted part.
  const [before = "", after] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (part: string): string[] =>
    part === "" ? [] : part.split(":").map((group) => group.padStart(4, "0"));
  const [head, tail] = [groups(before), groups(after ?? "")];
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => "0000"), ...tail].join("");
}

/** RFC 4291, appendix A, without colons. */
function linkLocal(mac: string): string {
  const digits = mac.replaceAll(":", "");
  const first = (parseInt(digits.slice(0, 2), 16) ^ 2).toString(16).padStart(2, "0");
  return `fe80${"0".repeat(12)}${first}${digits.slice(2, 6)}fffe${digits.slice(6)}`;
}
