/** `godwit vm ip` */
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { parseSeconds } from "../../output/format.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, vmArgument, type JsonFlags } from "../common.ts";

interface Flags extends JsonFlags {
  first: boolean;
  wait: boolean;
  timeout?: number;
}

export const ipCommand = buildCommand({
  docs: {
    brief: "Show the IP addresses of a VM's guest",
    fullDescription: `QEMU's guest agent tells them, where the guest has one and the VM's description has guestAgent: true. Otherwise they are
what the VM's host has in its neighbour table for the MAC addresses of the VM: those that the host itself has talked with.
Neither is proof of who answers at an address.

Examples:
  godwit vm ip web-1
  godwit vm ip web-1 --wait --timeout 2min
  ssh debian@$(godwit vm ip web-1 --first)`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      first: {
        kind: "boolean",
        brief: "Print one address and nothing else",
        default: false,
        withNegated: false,
      },
      wait: {
        kind: "boolean",
        brief: "Wait until there is one that is not link-local",
        default: false,
        withNegated: false,
      },
      timeout: {
        kind: "parsed",
        parse: parseSeconds,
        brief: "Longest wait, like 30s or 2min (default 5min)",
        optional: true,
      },
    },
    positional: vmArgument,
  },
  async func({ json, first, wait, timeout }: Flags, vm: string) {
    if (timeout !== undefined && !wait)
      throw GodwitError.of("USAGE", { what: "--timeout needs --wait.", hint: "Add --wait." });
    const { addressesText, askAddresses, awaitAddresses, defaultWaitMs, firstAddress } =
      await import("../../guest-addresses.ts");
    const limitMs = timeout === undefined ? defaultWaitMs : timeout * 1000;
    const found = await withApi((api) => (wait ? awaitAddresses(api, vm, limitMs) : askAddresses(api, vm)));
    if (json) writeJson(found);
    else writeLine(first ? firstAddress(found) : addressesText(found));
  },
});
