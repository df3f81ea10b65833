/** `godwit vm check` */
import type { Strategy } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { Exit, exitCodes, findingLines } from "../../output/problem.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { destinationFlag, jsonFlag, strategyFlag, vmArgument, type JsonFlags } from "../common.ts";

export const checkCommand = buildCommand({
  docs: {
    brief: "Check whether a VM can move to a host",
    fullDescription: `Lists every requirement that is not met, each with what to do about it. Ends with 0 if the VM may move, with 3 if not.

Examples:
  godwit vm check web-1 --to b
  godwit vm check web-1 --to b --strategy postcopy`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      to: destinationFlag,
      strategy: strategyFlag,
    },
    positional: vmArgument,
  },
  async func(flags: JsonFlags & { to: string; strategy: Strategy }, vm: string) {
    const { to, strategy } = flags;
    const answer = await withApi((api) => api.call("vmCheck", { params: { vm }, body: { to, strategy } }));
    if (flags.json) writeJson(answer);
    else {
      const verdict = answer.mayMove ? "may move" : "may not move";
      writeLine(`${answer.vm} ${verdict} from ${answer.from} to ${answer.to}.`);
      for (const line of findingLines(answer.findings)) writeLine(line);
    }
    if (!answer.mayMove) throw new Exit(exitCodes.refused);
  },
});
