/** Virtual switches and port groups: defined, shown, changed, removed. What is defined is written first; the hosts are told then, and again until they have it. */
import {
  GodwitError,
  type NetworkView,
  type NewSwitch,
  type serverOperations,
  type SwitchView,
} from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import {
  membersOf,
  networkViews,
  switchViews,
  type HostNow,
  type NetworksOfInventory,
} from "../networks/network-views.ts";
import { mtuWithin } from "../networks/underlay.ts";
import type { Services } from "../services.ts";

type NetworkOperations = Pick<
  typeof serverOperations,
  | "switchList"
  | "switchShow"
  | "switchAdd"
  | "switchSet"
  | "switchRemove"
  | "networkList"
  | "networkShow"
  | "networkAdd"
  | "networkSet"
  | "networkRemove"
>;

/** Hosts are waited for by no more than this; what they have not applied by then is shown as it is. */
const applyLimitMs = 10_000;

export function networkHandlers({ store, hosts }: Services): Handlers<NetworkOperations> {
  const now = async (): Promise<[NetworksOfInventory, HostNow[]]> => {
    const [switches, networks, all] = await Promise.all([
      store.switches.list(),
      store.networks.list(),
      store.hosts.list(),
    ]);
    return [
      { switches, networks },
      all.map(({ name, facts, load }) => ({ name, facts, load, isUp: hosts.isUp(name) })),
    ];
  };
  const allSwitches = async (): Promise<SwitchView[]> => switchViews(...(await now()));
  const allNetworks = async (): Promise<NetworkView[]> => {
    const [views, vms] = await Promise.all([now(), store.networks.users()]);
    return networkViews(...views).map((view) => ({ ...view, vms: vms.get(view.name) ?? [] }));
  };
  const switchOf = async (name: string): Promise<SwitchView> => {
    const all = await allSwitches();
    const found = all.find((view) => view.name === name);
    if (found !== undefined) return found;
    throw GodwitError.of("SWITCH_UNKNOWN", { switch: name, known: all.map((view) => view.name) });
  };
  const networkOf = async (name: string): Promise<NetworkView> => {
    const all = await allNetworks();
    const found = all.find((view) => view.name === name);
    if (found !== undefined) return found;
    throw GodwitError.of("NETWORK_UNKNOWN", { network: name, known: all.map((view) => view.name) });
  };
  const mustBeDefined = async (network: string): Promise<void> => {
    const view = await networkOf(network);
    if (view.createdAt === null)
      throw GodwitError.of("NETWORK_OF_HOSTS", { network, hosts: view.hosts.map(({ host }) => host) });
  };
  /** With an MTU that the underlay of each of its hosts carries. */
  const fitting = async (body: NewSwitch): Promise<NewSwitch> => {
    if (body.vxlan === undefined) return body;
    const [{ switches }, all] = await now();
    const facts = new Map(all.map(({ name, facts }) => [name, facts]));
    const row = switches.find(({ name }) => name === body.name);
    const mtu = body.mtu ?? row?.mtu;
    const { name, vxlan, hosts: named = [...facts.keys()] } = body;
    return { ...body, mtu: mtuWithin({ name, mtu }, vxlan.underlay ?? "migration", named, facts) };
  };
  return {
    switchList: async () => ({ switches: await allSwitches() }),
    switchShow: async ({ params }) => await switchOf(params.switch),
    switchAdd: async ({ body }) => {
      await store.switches.add(await fitting(body));
      await hosts.networks.changed(applyLimitMs);
      return await switchOf(body.name);
    },
    switchSet: async ({ params, body }) => {
      const [{ switches }, all] = await now();
      const row = switches.find(({ name }) => name === params.switch);
      if (row?.vxlan) {
        const facts = new Map(all.map((host) => [host.name, host.facts]));
        const { name, vxlan } = row;
        mtuWithin({ name, mtu: body.mtu }, vxlan.underlay, membersOf(row, [...facts.keys()]), facts);
      }
      await store.switches.set(params.switch, body);
      await hosts.networks.changed(applyLimitMs);
      return await switchOf(params.switch);
    },
    switchRemove: async ({ params, query }) => {
      if (query.host !== undefined) await store.hosts.show(query.host);
      await store.switches.remove(params.switch, query.host ?? null);
      await hosts.networks.changed(applyLimitMs);
      return undefined;
    },
    networkList: async () => ({ networks: await allNetworks() }),
    networkShow: async ({ params }) => await networkOf(params.network),
    networkAdd: async ({ body }) => {
      await store.networks.add(body);
      await hosts.networks.changed(applyLimitMs);
      return await networkOf(body.name);
    },
    networkSet: async ({ params, body }) => {
      await mustBeDefined(params.network);
      await store.networks.set(params.network, body);
      await hosts.networks.changed(applyLimitMs);
      return await networkOf(params.network);
    },
    networkRemove: async ({ params }) => {
      const { network } = params;
      await mustBeDefined(network);
      await store.networks.remove(network);
      await hosts.networks.changed(applyLimitMs);
      return undefined;
    },
  };
}
