/** `godwit image list` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

export const listCommand = buildCommand({
  docs: { brief: "List the images of the library", fullDescription: "Example: godwit image list --json" },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: JsonFlags) {
    const { images } = await withApi((api) => api.call("imageList", {}));
    if (flags.json) {
      writeJson(images);
      return;
    }
    const { imagesText } = await import("../../output/image-view.ts");
    writeLine(imagesText(images));
  },
});
