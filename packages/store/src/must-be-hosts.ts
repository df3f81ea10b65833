/**
 * Hosts that a request names are hosts of the cluster, and stay so until the transaction ends: under the lock that removing a host
 * takes, so that whichever comes first is seen by the other.
 */
import { GodwitError } from "@godwit/contract";
import { sql } from "kysely";
import type { Writes } from "./schema.ts";

/** @throws HOST_UNKNOWN */
export async function mustBeHosts(tx: Writes, hosts: readonly string[]): Promise<void> {
  const found = await tx
    .selectFrom("hosts")
    .select("name")
    .where(sql<boolean>`name = any(${hosts}::text[])`)
    .orderBy("name")
    .forShare()
    .execute();
  const gone = hosts.find((host) => !found.some(({ name }) => name === host));
  if (gone === undefined) return;
  const known = (await tx.selectFrom("hosts").select("name").orderBy("name").execute()).map(
    ({ name }) => name,
  );
  throw GodwitError.of("HOST_UNKNOWN", { host: gone, known });
}
