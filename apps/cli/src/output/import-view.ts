/** What an import carries over, changes and leaves out, as people read it. Pure. */
import type { ImportReport } from "@godwit/contract";
import { printableCell } from "./printable.ts";

const products: Readonly<Record<ImportReport["format"], string>> = {
  ...{ vmx: "VMware", ovf: "OVF", ova: "OVA", libvirt: "libvirt", proxmox: "Proxmox" },
};

export function importText({ format, source, carried, changed, notCarried }: ImportReport): string {
  return [
    `${source.datastore}:${printableCell(source.path)} (${products[format]})`,
    ...section(
      "carried over",
      carried.map(({ what, value }) => `${what}: ${value}`),
    ),
    ...section(
      "changed",
      changed.map(({ what, reason }) => `${what}; ${reason}`),
    ),
    ...section(
      "not carried over",
      notCarried.map(({ what, reason }) => `${what}; ${reason}`),
    ),
  ].join("\n");
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [`  ${title}`, ...lines.map((line) => `    ${printableCell(line)}`)];
