/** `godwit pool create` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, poolArgument, type JsonFlags } from "../common.ts";

export const createCommand = buildCommand({
  docs: {
    brief: "Create a pool",
    fullDescription: `With --evc every VM that is powered on in the pool sees that EVC mode's CPU features and no more, so that it can
go to every host of the pool. Hosts that do not satisfy the mode are refused, with what they lack and why probably;
nothing is made then. Without --evc VMs see what their host has.

Examples:
  godwit pool create east --evc intel-haswell --host a --host b
  godwit pool create lab`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      evc: {
        kind: "parsed",
        parse: String,
        brief: "EVC mode or common set (godwit cpu evc list)",
        optional: true,
      },
      host: { kind: "parsed", parse: String, variadic: true, brief: "A host to add", optional: true },
    },
    positional: poolArgument,
  },
  async func(flags: JsonFlags & { evc?: string; host?: readonly string[] }, name: string) {
    const body = {
      name,
      hosts: [...(flags.host ?? [])],
      ...(flags.evc === undefined ? {} : { evcMode: flags.evc }),
    };
    const pool = await withApi((api) => api.call("poolCreate", { body }));
    if (flags.json) {
      writeJson(pool);
      return;
    }
    const { poolText } = await import("../../output/pool-view.ts");
    writeLine(poolText(pool));
  },
});
