/** Errors about the library of images. */
import { define } from "./define.ts";

export const imageLibraryErrors = {
  LIBRARY_IMAGE_UNKNOWN: define<{ image: string; known: string[] }>(
    404,
    "never",
    (d) => `There is no image ${d.image} in the library.`,
    (d) =>
      d.known.length === 0
        ? "There are none: godwit image add"
        : `Name one of them: ${d.known.join(", ")}. A file of a datastore is named as DATASTORE:PATH.`,
  ),
  LIBRARY_IMAGE_EXISTS: define<{ image: string; datastore: string }>(
    409,
    "never",
    (d) => `There is an image ${d.image} already, on datastore ${d.datastore}.`,
    (d) => `Give another name (--name), or delete it first: godwit image delete ${d.image}`,
  ),
  LIBRARY_IMAGE_BUSY: define<{ image: string; task: string; what: string }>(
    409,
    "later",
    (d) => `Another task has image ${d.image}: ${d.what}.`,
    (d) => `Wait for it: godwit task watch ${d.task}`,
  ),
  LIBRARY_IMAGE_REFUSED: define<{ image: string; origin: string; reason: string }>(
    409,
    "after-fix",
    (d) => `Image ${d.image} is not added: ${d.origin} ${d.reason}.`,
    () => "Name a disk image that is complete in itself; unpack it before, where it is compressed.",
  ),
  LIBRARY_IMAGE_CHECKSUM: define<{ image: string; origin: string; expected: string; found: string }>(
    409,
    "after-fix",
    (d) => `Image ${d.image} is not added: ${d.origin} has the checksum ${d.found}, and not ${d.expected}.`,
    () =>
      "Compare the checksum with what the publisher of the image says; it is another version, or was changed on the way.",
  ),
  IMAGE_DOWNLOAD_FAILED: define<{ image: string; url: string; host: string; reason: string }>(
    409,
    "later",
    (d) => `Host ${d.host} could not download image ${d.image} from ${d.url}: ${d.reason}.`,
    (d) => `Look whether ${d.host} reaches it, and add the image again.`,
  ),
  IMAGE_DOWNLOAD_FORBIDDEN: define<{ image: string; url: string; host: string; reason: string }>(
    403,
    "after-fix",
    (d) => `Host ${d.host} does not download image ${d.image} from ${d.url}: ${d.reason}.`,
    (d) =>
      `If that is meant, allow the address in /etc/godwit/agent.yaml on ${d.host} (images: { allow: [NETWORK] }) and restart its agent.`,
  ),
  IMAGE_ADD_CANCELLED: define<{ image: string }>(
    409,
    "later",
    (d) => `Image ${d.image} was not added: that was cancelled. Nothing is left of it.`,
    () => "Add it again.",
  ),
} as const;
