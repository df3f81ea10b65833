/** Who needs a port group. */
import { sql } from "kysely";
import type { Writes } from "./schema.ts";
import { tasksUnderWay } from "./tasks.ts";

/** VMs that have a NIC in it, and tasks under way that make one, in words. @param host null: on any */
export async function networkUsers(tx: Writes, name: string, host: string | null): Promise<string[]> {
  const nic = JSON.stringify([{ portGroup: name }]);
  const vms = await tx
    .selectFrom("vms")
    .select("name")
    .where(sql<boolean>`config->'nics' @> ${nic}::jsonb`)
    .where(sql<boolean>`(${host}::text is null or host = ${host})`)
    .orderBy("name")
    .execute();
  const tasks = (await tasksUnderWay(tx)).filter(
    (task) =>
      task.kind === "vm.create" &&
      task.request.description.nics.some(({ portGroup }) => portGroup === name) &&
      (host === null || task.request.host === host),
  );
  return [
    ...vms.map((vm) => `VM ${vm.name}`),
    ...tasks.map(({ id, description }) => `task ${id} (${description})`),
  ];
}
