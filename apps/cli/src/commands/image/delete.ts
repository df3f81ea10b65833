/** `godwit image delete` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeLine } from "../../output/screen.ts";
import { imageArgument } from "../common.ts";

export const deleteCommand = buildCommand({
  docs: {
    brief: "Delete an image of the library with its file",
    fullDescription: `Disks that were made from it are copies, and stay.

Example: godwit image delete debian-12`,
  },
  parameters: { flags: {}, positional: imageArgument },
  async func(_flags: object, image: string) {
    await withApi((api) => api.call("imageDelete", { params: { image } }));
    writeLine(`Image ${image} is deleted.`);
  },
});
