/** What the server asks of this host's datastores: to take those that it defines, to mark new storage, and what lies there. */
import { datastoresOf, type DatastoreList, type DatastoreRefusal } from "@godwit/contract";
import { browse } from "@godwit/storage";
import type { Logger } from "pino";
import type { Environment } from "./vms/environment.ts";
import type { AgentConfig } from "./config.ts";
import type { Processes } from "./qemu/processes.ts";
import type { SetAside } from "./vms/set-aside.ts";
import type { HostDatastores } from "./datastores/host-datastores.ts";
import { initDatastore } from "./datastores/mark-datastore.ts";

export interface DatastoreOrdersParts {
  config: Pick<AgentConfig, "name" | "mountsFolder" | "leases">;
  datastores: HostDatastores;
  environment: Pick<Environment, "datastore">;
  processes: Pick<Processes, "present">;
  setAside: Pick<SetAside, "all">;
  log: Logger;
}

export class DatastoreOrders {
  readonly #parts: DatastoreOrdersParts;

  constructor(parts: DatastoreOrdersParts) {
    this.#parts = parts;
  }

  async put(list: DatastoreList): Promise<readonly DatastoreRefusal[]> {
    const { datastores, log } = this.#parts;
    const refused = await datastores.take(list, (name) => this.#usersOf(name));
    log.info(
      { datastores: datastores.all.map(({ name }) => name), ...(refused.length === 0 ? {} : { refused }) },
      "datastores taken from the inventory",
    );
    return refused;
  }

  async init(name: string, onRoot: boolean): Promise<boolean> {
    const { config, datastores } = this.#parts;
    return await initDatastore(config, datastores, name, onRoot);
  }

  async browse(name: string, path: string | null): ReturnType<typeof browse> {
    return await browse(await this.#parts.environment.datastore(name), path);
  }

  /** A VM whose QEMU may run and does not say what from may use any. */
  #usersOf(datastore: string): string[] {
    const { processes, setAside } = this.#parts;
    const running = processes.present.flatMap(({ spec: { vm } }) => {
      const media = (vm.cdroms ?? []).map(({ medium }) => medium?.datastore);
      return [...datastoresOf(vm), ...media].includes(datastore) ? [`VM ${vm.name}`] : [];
    });
    return [...running, ...setAside.all.map(({ name }) => `VM ${name}, which may`)].slice(0, 20);
  }
}
