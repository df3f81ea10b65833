/** The library of images, a part of the server's API. */
import { z } from "zod";
import { imageViewSchema, newImageSchema } from "../schemas/image.ts";
import { taskSchemas } from "../tasks/registry.ts";
import type { Operations } from "./operation.ts";

const imageParams = z.strictObject({ image: z.string().min(1).max(63) });

export const imageOperations = {
  imageList: {
    method: "GET",
    path: "/api/v1/images",
    privilege: "admin",
    summary: "All images of the library",
    answer: { status: 200, body: z.object({ images: z.array(imageViewSchema) }) },
    errors: [],
  },
  imageShow: {
    method: "GET",
    path: "/api/v1/images/{image}",
    privilege: "admin",
    summary: "One image of the library",
    params: imageParams,
    answer: { status: 200, body: imageViewSchema },
    errors: ["LIBRARY_IMAGE_UNKNOWN"],
  },
  imageAdd: {
    method: "POST",
    path: "/api/v1/images",
    privilege: "admin",
    summary: "Download an image into the library, or copy it from a datastore",
    body: newImageSchema,
    answer: { status: 202, body: taskSchemas["image.add"] },
    errors: [
      ...["LIBRARY_IMAGE_EXISTS", "LIBRARY_IMAGE_BUSY", "HOST_UNKNOWN", "HOST_UNREACHABLE", "AGENT_CANNOT"],
      ...["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "DATASTORE_WITHOUT_FOLDERS"],
    ],
  },
  imageDelete: {
    method: "DELETE",
    path: "/api/v1/images/{image}",
    privilege: "admin",
    summary: "Delete an image of the library with its file; disks that were copied from it stay",
    params: imageParams,
    answer: { status: 204 },
    errors: ["LIBRARY_IMAGE_UNKNOWN", "HOST_UNREACHABLE", "DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE"],
  },
} as const satisfies Operations;
