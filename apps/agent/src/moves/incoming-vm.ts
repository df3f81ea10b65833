/** A VM that is about to come to this host: everything that it needs here, made ready, and a QEMU that may not run. */
import { GodwitError, type MoveOrder } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import { requestedStrategy } from "@godwit/migration";
import { migrationCredentialsFolder } from "../config.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { checkOrder, checkSource } from "./order-check.ts";

/**
 * What fails is not undone here: whoever gives the move up removes the VM and releases its lease.
 * @param onStarted called with the QEMU as soon as it is there
 * @returns where it listens for the source's
 * @throws MOVE_ORDER_REFUSED, MIGRATION_NETWORK_MISSING, MIGRATION_ADDRESS_ABSENT, MIGRATION_PORTS_TAKEN, DESTINATION_MEMORY_SHORT, LEASE_HELD, POSTCOPY_UNAVAILABLE, QMP_REFUSED,
 *   DISK_PERMISSION_DENIED and what starting a VM throws
 */
export async function prepareIncoming(
  { commands, config, environment, hypervisor, leases, memory, processes }: MoveDependencies,
  order: MoveOrder,
  onStarted: (process: QemuProcess) => void,
): Promise<{ address: string; port: number }> {
  const { vm, accelerator, from, qemuUid } = order;
  const host = config.name;
  const { migration } = config;
  if (migration === undefined) throw GodwitError.of("MIGRATION_NETWORK_MISSING", { host });
  using _memory = memory.reserve(vm);
  await commands.mustTakeVms(vm.name);
  await checkOrder(await environment.datastore(vm.datastore), order);
  const incoming = environment.users.incoming(vm.id, from, qemuUid);
  const [spec, lease] = await allEnded(
    incoming.then((user) => environment.launchSpec(vm, accelerator, true, user)),
    leases.acquire(vm, "SH"),
    incoming.then((user) => environment.createTaps(vm, user)),
    incoming.then(async (user) => {
      await environment.checkOwnFiles(vm);
      await environment.checkDisks(vm, user, qemuUid);
    }),
  );
  if (lease.kind === "refused") throw lease.error;
  checkSource(order, lease.lease);
  const process = await hypervisor.start(spec, leases.launcher(vm));
  onStarted(process);
  processes.add(process, "incoming");
  const { destinationSettings, refusedAs } = requestedStrategy(order);
  await process.migration.configure(destinationSettings).catch((error: unknown) => {
    if (refusedAs === null || !GodwitError.is(error, "QMP_REFUSED")) throw error;
    throw GodwitError.of(refusedAs, { host, reason: error.message }, { cause: error });
  });
  await process.migration.secureDestination({
    credentialsFolder: migrationCredentialsFolder(config),
    sourceName: from,
  });
  const { address, ports } = migration;
  const port = await process.migration.listen(address, ports).catch((error: unknown) => {
    throw listenError(host, migration, error);
  });
  return { address, port };
}

/** Each has come to its end, also where one fails: what is made late would be left behind. @throws what the first of them throws */
async function allEnded<T extends readonly Promise<unknown>[]>(
  ...promises: T
): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}

/** In QEMU's words where it is none of the two that an operator can do something about. */
function listenError(
  host: string,
  { address, ports }: NonNullable<MoveDependencies["config"]["migration"]>,
  error: unknown,
): unknown {
  if (!GodwitError.is(error, "QMP_REFUSED")) return error;
  if (error.message.includes("Address already in use"))
    return GodwitError.of("MIGRATION_PORTS_TAKEN", { host, address, ...ports }, { cause: error });
  if (error.message.includes("Cannot assign requested address"))
    return GodwitError.of("MIGRATION_ADDRESS_ABSENT", { host, address }, { cause: error });
  return error;
}
