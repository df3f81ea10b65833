/** Datastores, a part of the server's API. */
import { z } from "zod";
import {
  datastoreEntriesSchema,
  datastoreViewSchema,
  fenceProgramSchema,
  newDatastoreSchema,
} from "../schemas/datastore.ts";
import { datastorePathSchema } from "../schemas/datastore-path.ts";
import { nameSchema } from "../schemas/names.ts";
import { uploadQuerySchema } from "../schemas/upload.ts";
import type { Operations } from "./operation.ts";

const datastoreParams = z.strictObject({ datastore: z.string().min(1).max(63) });

export const datastoreOperations = {
  datastoreList: {
    method: "GET",
    path: "/api/v1/datastores",
    privilege: "admin",
    summary: "All datastores: as they are defined, and as each host has them",
    answer: { status: 200, body: z.object({ datastores: z.array(datastoreViewSchema) }) },
    errors: [],
  },
  datastoreShow: {
    method: "GET",
    path: "/api/v1/datastores/{datastore}",
    privilege: "admin",
    summary: "One datastore",
    params: datastoreParams,
    answer: { status: 200, body: datastoreViewSchema },
    errors: ["DATASTORE_UNKNOWN"],
  },
  datastoreAdd: {
    method: "POST",
    path: "/api/v1/datastores",
    privilege: "admin",
    summary: "Define a datastore, or define it for further hosts; agents apply it",
    body: newDatastoreSchema,
    answer: { status: 201, body: datastoreViewSchema },
    errors: ["HOST_UNKNOWN", "DATASTORE_EXISTS"],
  },
  datastoreBrowse: {
    method: "GET",
    path: "/api/v1/datastores/{datastore}/files",
    privilege: "admin",
    summary: "What lies in a folder of a datastore, as one host sees it",
    params: datastoreParams,
    query: z.strictObject({
      /** Absent: the datastore itself. */
      path: datastorePathSchema.optional(),
      /** Absent: one that can use it. */
      host: nameSchema.optional(),
    }),
    answer: { status: 200, body: datastoreEntriesSchema.extend({ host: nameSchema }) },
    errors: [
      "DATASTORE_UNKNOWN",
      "DATASTORE_UNAVAILABLE",
      "DATASTORE_FOLDER_MISSING",
      "HOST_UNKNOWN",
      "HOST_UNREACHABLE",
    ],
  },
  datastoreUpload: {
    method: "GET",
    path: "/api/v1/datastores/{datastore}/upload",
    privilege: "admin",
    summary:
      "A WebSocket that takes a file and writes it to a datastore; a file that is there is never replaced",
    params: datastoreParams,
    query: uploadQuerySchema,
    answer: { status: 101, socket: true },
    errors: [
      ...["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "DATASTORE_WITHOUT_FOLDERS", "UPLOAD_REFUSED"],
      ...["SPACE_SHORT", "HOST_UNKNOWN", "HOST_UNREACHABLE", "AGENT_CANNOT"],
    ],
  },
  datastoreInit: {
    method: "POST",
    path: "/api/v1/datastores/{datastore}/init",
    privilege: "admin",
    summary: "Mark new storage as a datastore, seen from one host; one that is marked stays as it is",
    params: datastoreParams,
    body: z.strictObject({
      host: nameSchema,
      /** Also where a shared datastore's folder lies on the host's root file system. */
      onRoot: z.boolean().default(false),
    }),
    /** Whether it was none before. */
    answer: { status: 200, body: z.object({ isNew: z.boolean() }) },
    errors: [
      "DATASTORE_UNKNOWN",
      "DATASTORE_UNAVAILABLE",
      "DATASTORE_ON_ROOT",
      "DATASTORE_NOT_APPLIED",
      "HOST_UNKNOWN",
      "HOST_UNREACHABLE",
    ],
  },
  datastoreSet: {
    method: "PATCH",
    path: "/api/v1/datastores/{datastore}",
    privilege: "admin",
    summary:
      "Turn SCSI-3 persistent reservations of a LUN on or off, or set the program that fences hosts at the storage",
    params: datastoreParams,
    body: z
      .strictObject({
        reservations: z.boolean().optional(),
        /** Null: it has none any more. */
        fenceProgram: fenceProgramSchema.nullable().optional(),
      })
      .refine(
        ({ reservations, fenceProgram }) => reservations !== undefined || fenceProgram !== undefined,
        "nothing is to be set",
      ),
    answer: { status: 200, body: datastoreViewSchema },
    errors: [
      ...["DATASTORE_UNKNOWN", "DATASTORE_WITHOUT_RESERVATIONS", "RESERVATIONS_REFUSED"],
      ...["DATASTORE_WITHOUT_FENCING", "FENCE_PROGRAM_UNUSABLE", "DATASTORE_ACCESS_REVOKED"],
    ],
  },
  datastoreRestore: {
    method: "POST",
    path: "/api/v1/datastores/{datastore}/restore",
    privilege: "admin",
    summary:
      "Give a host that was fenced its access to the storage back; the caller vouches that it was restarted since, or is off",
    params: datastoreParams,
    body: z.strictObject({
      host: nameSchema,
      /** What its kernel still had to write would be written over what others have written since. */
      hostWasRestarted: z.literal(true),
    }),
    answer: { status: 200, body: datastoreViewSchema },
    errors: [
      ...["DATASTORE_UNKNOWN", "HOST_UNKNOWN", "DATASTORE_WITHOUT_FENCING", "DATASTORE_ACCESS_NOT_RESTORED"],
    ],
  },
  datastoreRemove: {
    method: "DELETE",
    path: "/api/v1/datastores/{datastore}",
    privilege: "admin",
    summary: "Remove a definition, or that for one host; what is on the storage stays there",
    params: datastoreParams,
    query: z.strictObject({ host: nameSchema.optional() }),
    answer: { status: 204 },
    errors: [
      "DATASTORE_UNKNOWN",
      "DATASTORE_IN_USE",
      "DATASTORE_RESERVED",
      "DATASTORE_ACCESS_REVOKED",
      "HOST_UNKNOWN",
    ],
  },
} as const satisfies Operations;
