/** A whole host is gone: all its processes are killed, its links are down, and it does not come back. */
import type { Fault } from "./fault.ts";
import { roles } from "./scene.ts";

export const hostFaults: readonly Fault[] = roles.map((role) => ({
  name: `${role} host gone`,
  lastsMs: null,
  begin: async ({ lab, hosts }) => {
    await lab.host(hosts[role]).cutPower();
  },
  takes: role,
}));
