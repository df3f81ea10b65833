/** `godwit image show` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { imageArgument, jsonFlag, type JsonFlags } from "../common.ts";

export const showCommand = buildCommand({
  docs: {
    brief: "Show an image of the library",
    fullDescription:
      "Where it lies and came from, its sizes and its checksum.\n\nExample: godwit image show debian-12",
  },
  parameters: { flags: { json: jsonFlag }, positional: imageArgument },
  async func(flags: JsonFlags, image: string) {
    const view = await withApi((api) => api.call("imageShow", { params: { image } }));
    if (flags.json) {
      writeJson(view);
      return;
    }
    const { imageText } = await import("../../output/image-view.ts");
    writeLine(imageText(view));
  },
});
