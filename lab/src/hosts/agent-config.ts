/** The configuration of a lab host's agent, as an administrator would write it. Pure. */
import { stringify } from "yaml";
import type { HostRecord } from "../lab-file.ts";
import {
  agentPort,
  datastore,
  datastorePath,
  hostAddress,
  localDatastore,
  localDatastorePath,
  networks,
  portGroup,
  serverAddress,
  serverPort,
} from "../names.ts";
import { ioTimeoutSeconds } from "./sanlock.ts";

export interface HostTraits {
  /** The file with the CPU that the host passes for; null: its own. */
  simulatedCpu: string | null;
  /** Whether it has a datastore of its own. */
  localDatastore: boolean;
}

/** @param index of the host, from 0 */
export const agentConfig = (
  { name, qemu }: HostRecord,
  index: number,
  { simulatedCpu, localDatastore: hasLocal }: HostTraits,
): string =>
  stringify({
    name,
    listen: { address: hostAddress("management", index), port: agentPort },
    server: { url: `https://${serverAddress}:${String(serverPort)}` },
    migration: { address: hostAddress("migration", index) },
    portGroups: [{ name: portGroup, bridge: networks.office.bridge, uplink: "office" }],
    datastores: [
      { name: datastore, path: datastorePath, shared: true },
      ...(hasLocal ? [{ name: localDatastore, path: localDatastorePath, shared: false }] : []),
    ],
    leases: { ioTimeoutSeconds },
    updates: { commands: true },
    qemu: { binary: qemu.binary },
    ...(simulatedCpu === null ? {} : { simulatedCpu }),
  });
