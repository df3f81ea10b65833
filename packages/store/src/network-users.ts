/** Who needs a port group. */
import type { TaskOf } from "@godwit/contract";
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
      (task.kind === "vm.create" || task.kind === "vm.changeDevice") &&
      groupsOf(task).includes(name) &&
      (host === null || task.request.host === host),
  );
  return [
    ...vms.map((vm) => `VM ${vm.name}`),
    ...tasks.map(({ id, description }) => `task ${id} (${description})`),
  ];
}

/** The port groups that a task makes NICs in. */
function groupsOf({ request }: TaskOf<"vm.create"> | TaskOf<"vm.changeDevice">): string[] {
  if ("description" in request) return request.description.nics.map(({ portGroup }) => portGroup);
  const { change } = request;
  if (change.what === "addNic") return [change.nic.portGroup];
  return change.what === "setNic" && change.portGroup !== undefined ? [change.portGroup] : [];
}
