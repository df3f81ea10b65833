/** `godwit vm nic list` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { formatTable } from "../../../output/format.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { jsonFlag, vmArgument, type JsonFlags } from "../../common.ts";

export const listNicsCommand = buildCommand({
  docs: { brief: "List a VM's NICs", fullDescription: "Example: godwit vm nic list web-1" },
  parameters: { flags: { json: jsonFlag }, positional: vmArgument },
  async func(flags: JsonFlags, vm: string) {
    const { name, config } = await withApi((api) => api.call("vmShow", { params: { vm } }));
    const nics = config.nics.map((nic, position) => ({ ...nic, number: nic.number ?? position }));
    if (flags.json) {
      writeJson({ nics });
      return;
    }
    if (nics.length === 0) {
      writeLine(`VM ${name} has no NIC.`);
      return;
    }
    writeLine(
      formatTable([
        ["NIC", "NETWORK", "MAC", "MODEL", "LINK", "ADDRESSES"],
        ...nics.map((nic) => [
          ...[String(nic.number), nic.portGroup, nic.mac, nic.model ?? "virtio"],
          nic.connected === false ? "disconnected" : "connected",
          nic.addresses?.join(", ") ?? "any",
        ]),
      ]),
    );
  },
});
