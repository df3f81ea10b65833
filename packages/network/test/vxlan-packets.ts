/** VXLAN over IPv6 as somebody makes it by hand, in hexadecimal: what is sent behind IPv6's own header. */
import { hexOf } from "../src/port-rules.ts";

const word = (value: number): string => value.toString(16).padStart(4, "0");

/** A datagram of VNI 100 whose frame is to all and from a MAC address. @returns UDP's header, and what is behind it */
export function vxlan(from: string, to: string, mac: string): [header: string, body: string] {
  const body = `0800000000006400ffffffffffff${mac.replaceAll(":", "")}88b5${"00".repeat(46)}`;
  const length = word(8 + body.length / 2);
  const head = `15b312b5${length}`;
  let sum = 0;
  const pseudo = `${hexOf(from)}${hexOf(to)}${length}0011`;
  for (const [part] of `${pseudo}${head}${body}`.matchAll(/.{4}/g)) sum += parseInt(part, 16);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return [`${head}${word(0xffff - sum)}`, body];
}

/** Two fragments, the first of which is 8 bytes long. @param next the number of the header that it begins with */
export const fragments = (parts: readonly [string, string], next = 17): string[] => {
  const number = next.toString(16).padStart(2, "0");
  return [`${number}00000100001234${parts[0]}`, `${number}00000800001234${parts[1]}`];
};

/** Sends what its arguments say: the next header's number, from, to, packets. */
export const sender = `
  use Socket qw(:all);
  my ($next, $from, $to, @packets) = @ARGV;
  socket my $socket, AF_INET6, SOCK_RAW, $next or die "socket: $!\\n";
  bind $socket, pack_sockaddr_in6(0, inet_pton(AF_INET6, $from)) or die "bind: $!\\n";
  for (@packets) {
    defined send $socket, pack('H*', $_), 0, pack_sockaddr_in6(0, inet_pton(AF_INET6, $to)) or die "send: $!\\n";
  }`;
