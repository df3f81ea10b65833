/** New storage is made a datastore, by hand and once: a folder that is only waiting for its mount never becomes one. */
import { stat } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";
import { markDatastore } from "@godwit/storage";
import type { AgentConfig } from "./config.ts";

/**
 * @returns whether it was none before
 * @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE; DATASTORE_ON_ROOT for shared storage that is not mounted, unless `onRoot`
 */
export async function initDatastore(config: AgentConfig, name: string, onRoot: boolean): Promise<boolean> {
  const datastore = config.datastores.find((one) => one.name === name);
  if (datastore === undefined) {
    const known = config.datastores.map((one) => one.name);
    throw GodwitError.of("DATASTORE_UNKNOWN", { datastore: name, host: config.name, known });
  }
  const { path, shared } = datastore;
  if (shared && !onRoot) {
    const [there, root] = await Promise.all([stat(path).catch(() => null), stat("/")]);
    if (there?.dev === root.dev) throw GodwitError.of("DATASTORE_ON_ROOT", { datastore: name, path });
  }
  return await markDatastore(datastore, config.name);
}
