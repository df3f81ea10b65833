/** `godwit pool add-host` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";
import { checkFlag, poolAndHost, tellCheck } from "./change.ts";

export const addHostCommand = buildCommand({
  docs: {
    brief: "Add a host to a pool",
    fullDescription: `Refused with every reason when the host does not satisfy the pool's EVC mode, or runs VMs that see more.

Examples:
  godwit pool add-host east c --check
  godwit pool add-host east c`,
  },
  parameters: { flags: { json: jsonFlag, check: checkFlag }, positional: poolAndHost },
  async func(flags: JsonFlags & { check: boolean }, pool: string, host: string) {
    if (flags.check) {
      const change = await withApi((api) => api.call("poolHostCheck", { params: { pool, host } }));
      tellCheck(flags, change, `Host ${host} may`, `come into pool ${pool}`);
      return;
    }
    const view = await withApi((api) => api.call("poolHostAdd", { params: { pool, host } }));
    if (flags.json) writeJson(view);
    else writeLine(`Host ${host} is in pool ${pool}.`);
  },
});
