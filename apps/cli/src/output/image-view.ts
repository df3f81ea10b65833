/** Images of the library as lines for people. Pure. */
import type { ImageView } from "@godwit/contract";
import { formatBytes, formatTable } from "./format.ts";
import { printableCell } from "./printable.ts";

export function imagesText(images: readonly ImageView[]): string {
  if (images.length === 0) return "There are no images: godwit image add";
  return formatTable([
    ["NAME", "DATASTORE", "FORMAT", "FILE", "DISK", "ADDED"],
    ...images.map(({ name, datastore, format, bytes, virtualBytes, addedAt }) => [
      ...[name, datastore, format, formatBytes(bytes), formatBytes(virtualBytes), addedAt],
    ]),
  ]);
}

export const imageText = (image: ImageView): string =>
  formatTable([
    ["name", image.name],
    ["file", `${image.datastore}:${image.path}`],
    ["format", image.format],
    ["size", `${formatBytes(image.bytes)}, a disk of ${formatBytes(image.virtualBytes)}`],
    ["checksum", `sha256:${image.sha256}`],
    ["from", printableCell(image.origin)],
    ["added", image.addedAt],
  ]);
