/** Has the host of a VM announce where the VM is. */
import { GodwitError, type serverOperations } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import type { Services } from "../services.ts";
import { ableTo } from "./able-to.ts";

export function vmAnnounceHandlers({
  store,
  hosts,
}: Services): Handlers<Pick<typeof serverOperations, "vmAnnounce">> {
  return {
    vmAnnounce: async ({ params }) => {
      const { id, name: vm, host, state } = await store.vms.show(params.vm);
      if (state !== "running") throw GodwitError.of("VM_NOT_RUNNING", { vm, state });
      ableTo("announce", [await store.hosts.show(host)], host);
      const link = hosts.of(host);
      const said = await link.agent.call("vmAnnounce", { params: { vmId: id } }).catch((error: unknown) => {
        throw link.unreachable(error);
      });
      return { ...said, vm, host };
    },
  };
}
