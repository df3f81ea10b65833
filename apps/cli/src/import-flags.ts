/** What `vm import` asks of the server, from its arguments. Pure. */
import type { ServerOperations } from "@godwit/contract/calling";
import { GodwitError } from "@godwit/contract/errors";
import type { Given } from "@godwit/contract";

export interface ImportFlags {
  name?: string;
  datastore?: string;
  host?: string;
  /** `PORTGROUP`, or `NETWORK=PORTGROUP`. */
  network?: readonly string[];
  newMacs: boolean;
  format?: "qcow2" | "raw";
  /** `LABEL=PATH`. */
  disk?: readonly string[];
}

type Body = Given<ServerOperations["vmImportRead"]>["body"];

/**
 * @param source `DATASTORE:PATH`, or `PATH`
 * @param only the datastore of a source that names none
 * @throws USAGE
 */
export function importRequest(source: string, flags: ImportFlags, only: () => string): Body {
  const [, named, rest] = /^([^:/]+):(.+)$/.exec(source) ?? [];
  const path = rest ?? source;
  if (path.startsWith("/"))
    throw GodwitError.of("USAGE", {
      what: `${source} is a path of a host, and a source lies on a datastore.`,
      hint: "Copy the VM's folder to a datastore and name it there: godwit vm import DATASTORE:FOLDER/FILE.vmx",
    });
  const { name, datastore, host, format, newMacs, network = [], disk = [] } = flags;
  const portGroups = network.filter((one) => !one.includes("="));
  const [portGroup, ...more] = portGroups;
  if (more.length > 0)
    throw GodwitError.of("USAGE", {
      what: `--network names several port groups for all networks: ${portGroups.join(", ")}.`,
      hint: 'Say which network each is for: --network "VM Network=office"',
    });
  const networks = pairs(
    "--network",
    network.filter((one) => one.includes("=")),
  );
  const disks = pairs("--disk", disk);
  return {
    source: { datastore: named ?? datastore ?? only(), path },
    ...(name === undefined ? {} : { name }),
    ...(datastore === undefined ? {} : { datastore }),
    ...(host === undefined ? {} : { host }),
    ...(format === undefined ? {} : { format }),
    ...(portGroup === undefined ? {} : { portGroup }),
    ...(newMacs ? { newMacs } : {}),
    ...(network.length > portGroups.length ? { networks } : {}),
    ...(disk.length > 0 ? { disks } : {}),
  };
}

/** The last `=` parts them: a network's name may have one. @throws USAGE */
function pairs(flag: string, given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const [, from, to] = /^(.+)=([^=]+)$/.exec(text) ?? [];
      if (from !== undefined && to !== undefined) return [from, to] as const;
      throw GodwitError.of("USAGE", {
        what: `${flag} ${text} is not of the form FROM=TO.`,
        hint: flag === "--disk" ? "Like --disk scsi0:1=web/data.vmdk" : 'Like --network "VM Network=office"',
      });
    }),
  );
}
