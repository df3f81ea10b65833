/** What an administrator has set up on a server before Godwit comes: addresses, a bridge for VMs, names. Pure. */
import { addressOf, macOf, networks, type Network } from "./networks.ts";
import { numbers, type ServerSpec } from "./server-spec.ts";

export const vmBridge = "br0";
export const domain = "example.com";

/** For systemd-networkd. @returns contents by path */
export function settingsOf({ number }: ServerSpec): Record<string, string> {
  // A server that starts from the saved state of another has the other's MAC addresses until it boots.
  const link = (network: Network) =>
    `[Match]\nName=${networks[network].device}\n\n[Link]\nMACAddress=${macOf(network, number)}\n`;
  const withAddress = (network: Network) =>
    `${link(network)}\n[Network]\nAddress=${addressOf(network, number)}/24\nLinkLocalAddressing=no\n`;
  return {
    "/etc/systemd/network/10-management.network": withAddress("management"),
    "/etc/systemd/network/10-migration.network": withAddress("migration"),
    "/etc/systemd/network/20-bridge.netdev": `[NetDev]\nName=${vmBridge}\nKind=bridge\n`,
    "/etc/systemd/network/20-bridge.network": `[Match]\nName=${vmBridge}\n\n[Link]\nRequiredForOnline=no\n\n[Network]\nLinkLocalAddressing=no\nConfigureWithoutCarrier=yes\n`,
    "/etc/systemd/network/20-office.network": `${link("office")}RequiredForOnline=no\n\n[Network]\nBridge=${vmBridge}\n`,
    "/etc/systemd/network/30-trunk.network": `${link("trunk")}RequiredForOnline=no\n\n[Network]\nLinkLocalAddressing=no\n`,
    "/etc/hosts": [
      "127.0.0.1 localhost",
      ...Object.entries(numbers).map(
        ([name, last]) => `${addressOf("management", last)} ${name}.${domain} ${name}`,
      ),
      "",
    ].join("\n"),
  };
}
