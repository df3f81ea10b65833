/** What is known of the load of VMs: from the windows that are kept. */
import { knownLoads, resolutions, type KnownLoad } from "@godwit/placement";
import type { Store } from "@godwit/store";

const reachMs = Math.max(...resolutions.map((one) => one.kept * one.seconds * 1000));

/** What is known of the load of VMs on these hosts, by their ids. @throws DATABASE_UNAVAILABLE */
export async function loadsOn(
  { loads }: Pick<Store, "loads">,
  hosts: readonly string[],
): Promise<Map<string, KnownLoad>> {
  const nowMs = Date.now();
  return knownLoads(await loads.of(hosts, new Date(nowMs - reachMs)), nowMs);
}
