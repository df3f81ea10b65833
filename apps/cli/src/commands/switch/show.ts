/** `godwit switch show` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, switchArgument, type JsonFlags } from "../common.ts";

export const showCommand = buildCommand({
  docs: {
    brief: "Show one virtual switch, as it is defined and as each host has it",
    fullDescription: "Example: godwit switch show lan",
  },
  parameters: { flags: { json: jsonFlag }, positional: switchArgument },
  async func(flags: JsonFlags, name: string) {
    const view = await withApi((api) => api.call("switchShow", { params: { switch: name } }));
    if (flags.json) {
      writeJson(view);
      return;
    }
    const { switchText } = await import("../../output/network-view.ts");
    writeLine(switchText(view));
  },
});
