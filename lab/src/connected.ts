/** A lab is ready when its server is connected to every host, and every host has joined its storage's leases. */
import type { Client } from "@godwit/client";
import { GodwitError, type HostLoad, type HostView, type serverOperations } from "@godwit/contract";
import { until } from "@godwit/system";

const limitMs = 120_000;

const isReady = ({ state, load }: HostView): boolean =>
  state === "connected" && load !== null && hasLeases(load);

const hasLeases = ({ datastores }: HostLoad): boolean =>
  datastores.every(({ leases }) => leases === null || leases.state === "joined");

/** @throws PROGRAM_FAILED naming the hosts that are not ready in time @param logs where to look then */
export async function connected(api: Client<typeof serverOperations>, logs: string): Promise<void> {
  let hosts: HostView[] = [];
  const allReady = async () => {
    ({ hosts } = await api.call("hostList", {}));
    return hosts.every(isReady);
  };
  // The server's events would tell too; this is once, and short.
  if ((await until(allReady, { everyMs: 50, limitMs })) !== null) return;
  const missing = hosts.filter((host) => !isReady(host)).map(({ name }) => name);
  throw GodwitError.of("PROGRAM_FAILED", {
    program: "godwit",
    what: "connecting the lab's hosts",
    output: `no answer from ${missing.join(", ")}; see ${logs}`,
  });
}
