/**
 * UEFI for VMs: OVMF's images of 4 MiB as Debian's package `ovmf` has them. The code is the host's, and read-only; the variables
 * are the VM's own file, made from a template. In a move QEMU sends both as they are in its memory: until the guest is started
 * again it runs the code that it was started with, and the destination's images only have to be of the same sizes.
 */
import { stat } from "node:fs/promises";
import { nvramTemplate, type UefiFacts } from "@godwit/contract";
import { fileStorage } from "./disk-nodes.ts";
import type { LaunchSpec } from "./launch-spec.ts";

export interface UefiImages {
  /** Absolute. */
  code: string;
  /** Of the variables of a new VM. */
  template: string;
  codeBytes: number;
  varsBytes: number;
}

/** With Secure Boot: a build whose variables only its own code can write. */
const builds = [
  { secureBoot: false, code: "/usr/share/OVMF/OVMF_CODE_4M.fd" },
  { secureBoot: true, code: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd" },
] as const;

/** Null: this host does not have it. */
export async function uefiImages(secureBoot: boolean): Promise<UefiImages | null> {
  const build = builds.find((one) => one.secureBoot === secureBoot);
  if (build === undefined) return null;
  const { code } = build;
  const template = nvramTemplate(build);
  const [codeBytes, varsBytes] = await Promise.all([bytesOf(code), bytesOf(template)]);
  return codeBytes === null || varsBytes === null ? null : { code, template, codeBytes, varsBytes };
}

/** What this host has of it. */
export async function uefiFacts(): Promise<UefiFacts[]> {
  const found = await Promise.all(
    builds.map(async ({ secureBoot }) => ({ secureBoot, images: await uefiImages(secureBoot) })),
  );
  return found.flatMap(({ secureBoot, images }) =>
    images === null ? [] : [{ secureBoot, codeBytes: images.codeBytes, varsBytes: images.varsBytes }],
  );
}

async function bytesOf(path: string): Promise<number | null> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() === true ? found.size : null;
}

/** The block nodes of code and variables. */
export function firmwareNodes({ uefi }: LaunchSpec): Readonly<Record<string, unknown>>[] {
  if (uefi === undefined) return [];
  const code = { driver: "file", filename: uefi.codePath, "read-only": true };
  // Another host must read from the storage itself what this one wrote.
  const cache = { direct: true, "no-flush": false };
  return [
    { driver: "raw", "node-name": "uefi-code", "read-only": true, file: code },
    { driver: "raw", "node-name": "uefi-vars", file: { ...fileStorage(uefi.nvramPath), cache }, cache },
  ];
}

/** What the machine gets besides: the two flash memories, and for Secure Boot the mode in which alone variables are written. */
export const machineOptions = ({ vm, uefi }: LaunchSpec): string =>
  uefi === undefined
    ? ""
    : `,pflash0=uefi-code,pflash1=uefi-vars${vm.firmware?.secureBoot === true ? ",smm=on" : ""}`;

/** The guest's own software cannot write the variables around the firmware; suspend to memory would let it. */
export const secureFirmware = ({ vm, uefi }: LaunchSpec): string[] =>
  uefi === undefined || vm.firmware?.secureBoot !== true
    ? []
    : [
        ...["-global", "driver=cfi.pflash01,property=secure,value=on"],
        ...["-global", "ICH9-LPC.disable_s3=1"],
      ];
