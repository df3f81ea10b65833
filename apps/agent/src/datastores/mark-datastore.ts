/** New storage is made a datastore, by hand and once: a folder that is only waiting for its mount never becomes one. */
import { stat } from "node:fs/promises";
import { GodwitError, hasFolders } from "@godwit/contract";
import { markDatastore, markLun } from "@godwit/storage";
import type { AgentConfig } from "../config.ts";
import type { HostDatastores } from "./host-datastores.ts";
import { Mounts } from "./mounts.ts";

/**
 * @returns whether it was none before
 * @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, DATASTORE_WITHOUT_FOLDERS, LUN_NOT_EMPTY; DATASTORE_ON_ROOT for shared storage that is not mounted, unless `onRoot`
 */
export async function initDatastore(
  config: Pick<AgentConfig, "name" | "mountsFolder" | "leases">,
  datastores: HostDatastores,
  name: string,
  onRoot: boolean,
): Promise<boolean> {
  const datastore = datastores.find(name);
  if (datastore === undefined) {
    const known = datastores.all.map((one) => one.name);
    throw GodwitError.of("DATASTORE_UNKNOWN", { datastore: name, host: config.name, known });
  }
  const { shared, source } = datastore;
  if (source.kind === "lun")
    return await markLun({
      name,
      source,
      host: config.name,
      ioTimeoutSeconds: config.leases.ioTimeoutSeconds,
    });
  if (!hasFolders(source))
    throw GodwitError.of("DATASTORE_WITHOUT_FOLDERS", { datastore: name, host: config.name });
  const path = await new Mounts(config).folderOf({ name, source });
  if (shared && !onRoot) {
    const [there, root] = await Promise.all([stat(path).catch(() => null), stat("/")]);
    if (there?.dev === root.dev) throw GodwitError.of("DATASTORE_ON_ROOT", { datastore: name, path });
  }
  return await markDatastore({ name, path, shared }, config.name);
}
