/** `godwit cpu boot-image` */
import { buildCommand } from "@stricli/core";
import { jsonFlag } from "../common.ts";

export const bootImageCommand = buildCommand({
  docs: {
    brief: "Make a bootable image that reports a server's CPUs",
    fullDescription: `For servers without an operating system: the image starts from a CD drive (a management controller's
virtual one too) or a USB stick, by BIOS or UEFI, also with Secure Boot on. It touches no disk. It prints the
report of godwit cpu report on the screen and on the first serial port (115200 8N1); a key on either reboots.
After the report, the serial port gives the CPUID words of all logical CPUs as cpuid -r prints them, between
two marker lines, and the model-specific registers that the report used below them. Save what the line says
and give it to godwit cpu report --file or compare. It needs 512 MiB of memory and a CPU with long mode.

The image is made of Debian's kernel and packages. They are fetched by apt the first time and kept; nothing is
installed, and no root is needed.

Examples:
  godwit cpu boot-image cpu-report.iso
  dd if=cpu-report.iso of=/dev/sdX bs=4M conv=fsync
  qemu-system-x86_64 -cdrom cpu-report.iso -serial stdio`,
  },
  parameters: {
    flags: { json: jsonFlag },
    positional: {
      kind: "tuple",
      parameters: [
        { brief: "The image to write; a file there is replaced", placeholder: "file", parse: String },
      ],
    },
  },
  loader: async () => (await import("../../cpu/boot-image.ts")).bootImage,
});
