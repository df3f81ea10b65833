/** Where a VM's guest is reached, asked of its host now. */
import { GodwitError, type serverOperations } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import type { Services } from "../services.ts";

export function vmAddressHandlers({
  store,
  hosts,
}: Services): Handlers<Pick<typeof serverOperations, "vmAddresses">> {
  return {
    vmAddresses: async ({ params }) => {
      const { id, name: vm, host, state } = await store.vms.show(params.vm);
      if (state === "stopped" || state === "lost") throw GodwitError.of("VM_NOT_RUNNING", { vm, state });
      const link = hosts.of(host);
      const found = await link.agent.call("vmAddresses", { params: { vmId: id } }).catch((error: unknown) => {
        throw link.unreachable(error);
      });
      return { ...found, vm, host };
    },
  };
}
