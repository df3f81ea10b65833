/** `godwit host set` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { parseMbps } from "../../output/format.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { hostArgument, jsonFlag, type JsonFlags } from "../common.ts";

export const setCommand = buildCommand({
  docs: {
    brief: "Limit what moves may use of a host's link",
    fullDescription: `All moves from and to the host share it: those with a deadline get what they need to keep it, the others the rest. It
counts at once, also for moves under way.

Examples:
  godwit host set a --move-bandwidth 4000
  godwit host set a --move-bandwidth none`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      moveBandwidth: {
        kind: "parsed",
        parse: parseMbps,
        brief: "What all moves from and to the host may use together, Mbit/s, or none: what the link gives",
      },
    },
    positional: hostArgument,
  },
  async func(flags: JsonFlags & { moveBandwidth: number | "none" }, host: string) {
    const { moveBandwidth } = flags;
    const body = { moveBandwidthMbps: moveBandwidth === "none" ? null : moveBandwidth };
    const view = await withApi((api) => api.call("hostSet", { params: { host }, body }));
    if (flags.json) writeJson(view);
    else
      writeLine(
        moveBandwidth === "none"
          ? `Moves from and to host ${view.name} use what its link gives.`
          : `Moves from and to host ${view.name} use at most ${String(moveBandwidth)} Mbit/s together.`,
      );
  },
});
