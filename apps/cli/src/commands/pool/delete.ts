/** `godwit pool delete` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeLine } from "../../output/screen.ts";
import { poolArgument } from "../common.ts";

export const deleteCommand = buildCommand({
  docs: { brief: "Delete a pool that has no hosts", fullDescription: "Example: godwit pool delete lab" },
  parameters: { flags: {}, positional: poolArgument },
  async func(_flags: object, pool: string) {
    await withApi((api) => api.call("poolDelete", { params: { pool } }));
    writeLine(`Pool ${pool} is deleted.`);
  },
});
