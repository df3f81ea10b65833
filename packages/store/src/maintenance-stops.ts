/** VMs that the maintenance of a host shut down, until they are started again. */
import type { TaskId, VmId } from "@godwit/contract";
import type { Database } from "./database.ts";

export interface MaintenanceStop {
  vmId: VmId;
  host: string;
  /** The emptying that was to shut it down. */
  task: TaskId;
}

export class MaintenanceStops {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Before the VM is shut down; a row that an earlier maintenance left is replaced. */
  async enter({ vmId, host, task }: MaintenanceStop): Promise<void> {
    await this.#database.write(async (tx) => {
      await tx
        .insertInto("maintenance_stops")
        .values({ vm: vmId, host, task })
        .onConflict((conflict) => conflict.column("vm").doUpdateSet({ host, task }))
        .execute();
    });
  }

  async of(host: string): Promise<MaintenanceStop[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom("maintenance_stops").selectAll().where("host", "=", host).orderBy("vm").execute(),
    );
    return rows.map(({ vm, task }) => ({ vmId: vm as VmId, host, task: task as TaskId }));
  }

  async forget(vmId: VmId): Promise<void> {
    await this.#database.write(async (tx) => {
      await tx.deleteFrom("maintenance_stops").where("vm", "=", vmId).execute();
    });
  }
}
