/** Leases, for the host that calls: it can take, convert and release only its own. */
import { type serverOperations, type VmId } from "@godwit/contract";
import type { Actor, Handlers } from "@godwit/http";
import type { LeaseQuestioner, StoredLease } from "@godwit/store";
import { withFreshness } from "../hosts/vm-lease.ts";
import { hostOf } from "./host-of.ts";
import type { Services } from "../services.ts";

type LeaseOperations = Pick<
  typeof serverOperations,
  "leaseShow" | "leaseListOwn" | "leaseAcquire" | "leaseConvert" | "leaseRelease"
>;

export function leaseHandlers({ store, hosts }: Services): Handlers<LeaseOperations> {
  const fresh = (lease: StoredLease) => withFreshness(hosts, lease);

  return {
    leaseShow: async ({ params }) => fresh(await store.leases.show(params.vmId)),
    leaseListOwn: async ({ actor }) => ({
      leases: (await store.leases.ofHost(hostOf(actor))).map(fresh),
    }),
    leaseAcquire: async ({ params, body, actor }) =>
      fresh(await store.leases.acquire(askerOf(params.vmId, body, actor), body.mode)),
    leaseConvert: async ({ params, body, actor }) =>
      fresh(await store.leases.convert(askerOf(params.vmId, body, actor), body.mode)),
    leaseRelease: async ({ params, body, actor }) =>
      fresh(await store.leases.release(askerOf(params.vmId, body, actor))),
  };
}

const askerOf = (vmId: VmId, body: { vm: string; number: number }, actor: Actor): LeaseQuestioner => ({
  vmId,
  vm: body.vm,
  host: hostOf(actor),
  number: body.number,
});
