/** What `qemu-img info --output=json` says of an image, which may have been made to lead it astray. Pure. */
import { parseJson } from "@godwit/contract";
import { z } from "zod";
import type { NamedBacking } from "./image-header.ts";

const infoSchema = z.object({
  format: z.string(),
  "virtual-size": z.int().min(0),
  "backing-filename": z.string().optional(),
  "backing-filename-format": z.string().optional(),
  "format-specific": z
    .object({ data: z.object({ "data-file": z.string().optional() }).optional() })
    .optional(),
});

/** In words, the other file that QEMU would open with the image; null: none. @throws Error when it is no such output */
export function referenceIn(output: string): string | null {
  const backing = backingIn(output);
  return backing === null ? dataFileIn(output) : `the backing file ${backing.name}`;
}

/** What it names as its backing file; null: none. @throws Error when it is no such output */
export function backingIn(output: string): NamedBacking | null {
  const { "backing-filename": name, "backing-filename-format": format = null } = infoIn(output);
  return name === undefined ? null : { name, format };
}

/** In words, the external data file that QEMU would open with the image; null: none. @throws Error when it is no such output */
export function dataFileIn(output: string): string | null {
  const data = infoIn(output)["format-specific"]?.data?.["data-file"];
  return data === undefined ? null : `the external data file ${data}`;
}

/** How large the disk is that the image holds. @throws Error when it is no such output */
export const virtualBytesIn = (output: string): number => infoIn(output)["virtual-size"];

function infoIn(output: string): z.infer<typeof infoSchema> {
  let json: unknown;
  try {
    json = parseJson(output);
  } catch (error) {
    throw new Error("qemu-img's answer is no JSON", { cause: error });
  }
  const info = infoSchema.safeParse(json);
  if (!info.success) throw new Error("qemu-img's answer is not about an image");
  return info.data;
}
