/** Datastores of a host, and the images in them. */
import { z } from "zod";
import { datastoreEntriesSchema, datastoreListSchema, datastoreRefusalSchema } from "../schemas/datastore.ts";
import { datastorePathSchema } from "../schemas/datastore-path.ts";
import { nameSchema, taskIdSchema } from "../schemas/names.ts";
import { imageFileSchema, imageOrderSchema, imagePathSchema } from "../schemas/image.ts";
import { agentUploadQuerySchema } from "../schemas/upload.ts";
import type { Operations } from "./operation.ts";

const imageErrorCodes = [
  ...["LIBRARY_IMAGE_REFUSED", "LIBRARY_IMAGE_CHECKSUM", "IMAGE_DOWNLOAD_FAILED"],
  ...["IMAGE_DOWNLOAD_FORBIDDEN", "IMAGE_ADD_CANCELLED"],
] as const;

export const agentStorageOperations = {
  datastoresPut: {
    method: "PUT",
    path: "/agent/v1/datastores",
    privilege: "server",
    summary:
      "All datastores that the inventory defines for this host; those that it does not name are given up",
    body: datastoreListSchema,
    /** What was left as it was, and why. */
    answer: { status: 200, body: z.object({ refused: z.array(datastoreRefusalSchema) }) },
    errors: [],
  },
  datastoreBrowse: {
    method: "GET",
    path: "/agent/v1/datastores/{datastore}/files",
    privilege: "server",
    summary: "What lies in a folder of a datastore",
    params: z.strictObject({ datastore: nameSchema }),
    query: z.strictObject({ path: datastorePathSchema.optional() }),
    answer: { status: 200, body: datastoreEntriesSchema },
    errors: ["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "DATASTORE_FOLDER_MISSING"],
  },
  datastoreUpload: {
    method: "GET",
    path: "/agent/v1/datastores/{datastore}/upload",
    privilege: "server",
    summary:
      "A WebSocket that takes a file and writes it to a datastore; a file that is there is never replaced",
    params: z.strictObject({ datastore: nameSchema }),
    query: agentUploadQuerySchema,
    answer: { status: 101, socket: true },
    errors: [
      ...["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "DATASTORE_WITHOUT_FOLDERS"],
      ...["UPLOAD_REFUSED", "SPACE_SHORT"],
    ],
  },
  datastoreInit: {
    method: "POST",
    path: "/agent/v1/datastores/{datastore}/init",
    privilege: "server",
    summary: "Mark new storage as a datastore; one that is marked stays as it is",
    params: z.strictObject({ datastore: nameSchema }),
    body: z.strictObject({ onRoot: z.boolean() }),
    answer: { status: 200, body: z.object({ isNew: z.boolean() }) },
    errors: ["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "DATASTORE_ON_ROOT"],
  },
  datastoreReserve: {
    method: "POST",
    path: "/agent/v1/datastores/{datastore}/reserve",
    privilege: "server",
    summary: "Make the reservation of a LUN, if it has a key of each of these hosts; one that is made stays",
    params: z.strictObject({ datastore: nameSchema }),
    body: z.strictObject({ hosts: z.array(nameSchema).min(1).max(1000) }),
    answer: { status: 204 },
    errors: ["DATASTORE_UNAVAILABLE", "DATASTORE_WITHOUT_RESERVATIONS"],
  },
  imageAdd: {
    method: "POST",
    path: "/agent/v1/images",
    privilege: "server",
    summary:
      "Fetch an image into the library on a datastore; asking again with the same id while it goes on, or after it, answers the same",
    body: imageOrderSchema,
    answer: { status: 200, body: imageFileSchema },
    errors: [...imageErrorCodes, "SPACE_SHORT", "DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE"],
  },
  imageAddCancel: {
    method: "POST",
    path: "/agent/v1/images/{id}/cancel",
    privilege: "server",
    summary: "End the fetching of an image; one that is not fetched now is passed over",
    params: z.strictObject({ id: taskIdSchema }),
    answer: { status: 204 },
    errors: [],
  },
  imageDelete: {
    method: "DELETE",
    path: "/agent/v1/images",
    privilege: "server",
    summary: "Delete a file of the library; one that is not there is passed over",
    query: z.strictObject({ datastore: nameSchema, path: imagePathSchema }),
    answer: { status: 204 },
    errors: ["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE"],
  },
} as const satisfies Operations;
