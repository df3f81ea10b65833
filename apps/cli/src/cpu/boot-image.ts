/** `godwit cpu boot-image`: the CPU report for servers that have no operating system yet. */
import { buildBootImage } from "@godwit/boot-image";
import { StatusLine, writeJson, writeLine } from "../output/screen.ts";

export async function bootImage(flags: { json: boolean }, file: string): Promise<void> {
  const status = new StatusLine();
  const image = await buildBootImage(file, {
    onProgress: (text) => {
      status.line(`boot image: ${text}`);
    },
  });
  if (flags.json) {
    writeJson(image);
    return;
  }
  const mib = (image.bytes / 1048576).toFixed(1);
  writeLine(`${image.path}: ${mib} MiB, kernel ${image.kernelVersion}, starts by BIOS and UEFI.`);
  writeLine("Write it to a USB stick with dd, or attach it as a CD; any key on the server then reboots it.");
}
