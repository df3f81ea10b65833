/** The power of hosts. What can be refused is refused before a task begins. */
import type { PowerView, serverOperations } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { powerOf } from "@godwit/store";
import type { Services } from "../services.ts";
import { mustBeEmpty } from "../tasks/host-power-off.ts";

type PowerOperations = Pick<
  typeof serverOperations,
  "hostPowerSet" | "hostPowerShow" | "hostPowerUnset" | "hostPowerOn" | "hostPowerOff"
>;

export function hostPowerHandlers({ store, hosts, tasks, power }: Services): Handlers<PowerOperations> {
  const view = async (host: string): Promise<PowerView> => {
    const row = await store.powers.show(host);
    const { controller, wakeSeconds, offSeconds } = row;
    const said = await power.power(host).then(
      (now) => ({ power: now, problem: null }),
      (error: unknown) => ({ power: null, problem: error instanceof Error ? error.message : String(error) }),
    );
    return { controller, wakeSeconds, offSeconds, host: powerOf(row), ...said };
  };
  return {
    hostPowerSet: async ({ params, body }) => {
      const { name } = await store.hosts.show(params.host);
      await power.set(name, body);
      return await view(name);
    },
    hostPowerShow: async ({ params }) => await view((await store.hosts.show(params.host)).name),
    hostPowerUnset: async ({ params }) => {
      const { name } = await store.hosts.show(params.host);
      await store.powers.unset(name);
      return undefined;
    },
    hostPowerOn: async ({ params }) => {
      const { name } = await store.hosts.show(params.host);
      await store.powers.show(name);
      return await tasks.start({ kind: "host.powerOn", request: { host: name } });
    },
    hostPowerOff: async ({ params, body: { force } }) => {
      const { name } = await store.hosts.show(params.host);
      const request = { host: name, force };
      await mustBeEmpty({ store, hosts, power, request });
      return await tasks.start({ kind: "host.powerOff", request });
    },
  };
}
