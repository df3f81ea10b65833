/** An image comes into the library: it is downloaded, or copied from a datastore. */
import { imageViewSchema, newImageSchema, originText } from "../schemas/image.ts";
import { imageCopySchema } from "../schemas/image-copy.ts";
import { nameSchema } from "../schemas/names.ts";
import { defineTask } from "./define-task.ts";

export const imageAdd = defineTask({
  kind: "image.add",
  request: newImageSchema.extend({ host: nameSchema }),
  result: imageViewSchema.extend({ host: nameSchema }),
  fields: {
    /** How far it is; null: nothing comes just now. */
    progress: imageCopySchema.nullable(),
  },
  describe: ({ name, datastore, from }) =>
    `add image ${name} to datastore ${datastore} from ${originText(from)}`,
  concerns: ({ name, datastore, from, host }) => ({
    subject: { kind: "image", id: name, name },
    hosts: [host],
    datastores: [datastore, ...("datastore" in from ? [from.datastore] : [])],
  }),
  steps: { fetch: ({ from, host }) => `fetch ${originText(from)} on host ${host}` },
  cancellable: true,
});
