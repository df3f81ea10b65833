/** `godwit switch set` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, mtuFlag, switchArgument, type JsonFlags } from "../common.ts";

export const setCommand = buildCommand({
  docs: {
    brief: "Change a virtual switch's MTU on all of its hosts",
    fullDescription: `VMs that are connected to it run on; agents change the bridges, uplinks that are smaller, and the VMs' ports. What is between the
hosts must carry packets of that size. A guest's own MTU is the guest's.

Example: godwit switch set lan --mtu 9000`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      mtu: { ...mtuFlag, brief: "Largest packet in bytes", optional: false },
    },
    positional: switchArgument,
  },
  async func({ json, mtu }: JsonFlags & { mtu: number }, name: string) {
    const view = await withApi((api) => api.call("switchSet", { params: { switch: name }, body: { mtu } }));
    if (json) {
      writeJson(view);
      return;
    }
    const { switchText } = await import("../../output/network-view.ts");
    writeLine(switchText(view));
  },
});
