/**
 * Quick acknowledgement (`quickack`) on the route of the migration network. QEMU's last small segments otherwise wait
 * for the kernel's delayed acknowledgement, some 40 ms, while the guest stands still; the kernel's switch
 * for that is a property of the route.
 */
import { BlockList } from "node:net";
import { isIpv6 } from "@godwit/contract";
import { run } from "@godwit/system";
import { listInterfaces } from "./iproute.ts";

/**
 * Sets it on every route by which the interface of this address reaches the address's own network without a router;
 * what else was set on a route stays, and one that has it is left alone.
 * @param address as `normalAddress` writes it
 * @returns whether there is such a route
 * @throws PROGRAM_FAILED
 */
export async function enableQuickAck(address: string): Promise<boolean> {
  const [plain = address] = address.split("%", 1);
  const found = (await listInterfaces()).find(({ addr_info: addresses }) =>
    addresses.some(({ local }) => local === plain),
  );
  if (found === undefined) return false;
  const family = isIpv6(plain) ? "-6" : "-4";
  const { stdout } = await run("ip", [family, "route", "show", "dev", found.ifname], {
    what: "looking at the migration network's route",
  });
  const routes = stdout.split("\n").map(wordsOf);
  const connected = routes.filter((words) => isConnected(words, plain));
  for (const words of connected) {
    if (words.includes("quickack")) continue;
    await run("ip", [family, "route", "change", ...words, "dev", found.ifname, "quickack", "1"], {
      what: `setting quick acknowledgement on ${words[0] ?? ""}`,
    });
  }
  return connected.length > 0;
}

/** States of the link, which `ip` shows and does not take. */
const states = new Set(["linkdown", "dead"]);

/** A route as `ip` shows it, as it takes it. Its JSON would not do: it leaves out which metrics are locked. */
const wordsOf = (line: string): string[] =>
  line
    .trim()
    .split(/\s+/)
    .filter((word) => !states.has(word))
    .map((word, index, words) => (words[index - 1] === "expires" ? word.replace(/sec$/, "") : word));

/**
 * A network without a router that the address is in. Its prefix may be shorter than the address's: DHCPv6 gives addresses of 128
 * bits, and the network's route comes from the router's advertisement.
 */
function isConnected(words: readonly string[], address: string): boolean {
  const [network = "", length] = (words[0] ?? "").split("/", 2);
  if (length === undefined || words.includes("via")) return false;
  const family = isIpv6(address) ? "ipv6" : "ipv4";
  const block = new BlockList();
  block.addSubnet(network, Number(length), family);
  return block.check(address, family);
}
