/** VMs of other products: read by a host, and answered as descriptions that they can be created by. */
import type { serverOperations } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { chooseKnownHost } from "../moves/choose-host.ts";
import type { Services } from "../services.ts";
import { ableTo } from "./able-to.ts";

export function vmImportHandlers(
  services: Services,
): Handlers<Pick<typeof serverOperations, "vmImportRead">> {
  const { store, hosts } = services;
  return {
    vmImportRead: async ({ body }) => {
      const { host: named, datastore = body.source.datastore, ...order } = body;
      const nics = [order.portGroup, ...Object.values(order.networks ?? {})].flatMap((portGroup) =>
        portGroup === undefined ? [] : [{ portGroup }],
      );
      const datastores = [...new Set([datastore, order.source.datastore])];
      const host = await chooseKnownHost(services, { datastores, nics }, named);
      ableTo("importVm", await store.hosts.list(), host);
      const link = hosts.of(host);
      const draft = await link.agent
        .call("vmImportRead", { body: { ...order, datastore } })
        .catch((error: unknown) => {
          throw link.unreachable(error);
        });
      return { ...draft, host };
    },
  };
}
