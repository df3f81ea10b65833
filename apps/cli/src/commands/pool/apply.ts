/** `godwit pool apply` */
import { buildCommand, numberParser } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, poolArgument, type JsonFlags } from "../common.ts";

export const applyCommand = buildCommand({
  docs: {
    brief: "Make the moves that a pool's balancer recommends",
    fullDescription: `Each is made only if it still holds; one that fails ends the round. The round must be the newest: a later one knows more.

Example: godwit pool apply east --round 17`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      round: {
        kind: "parsed",
        parse: numberParser,
        brief: "The round that was looked at",
        placeholder: "number",
      },
    },
    positional: poolArgument,
  },
  async func(flags: JsonFlags & { round: number }, pool: string) {
    const call = { params: { pool }, body: { round: flags.round } };
    const round = await withApi((api) => api.call("poolApply", call));
    if (flags.json) writeJson(round);
    else
      writeLine(
        `${String(round.moves.length)} moves of round ${String(round.round)} have begun; godwit pool recommendations ${pool} follows them.`,
      );
  },
});
