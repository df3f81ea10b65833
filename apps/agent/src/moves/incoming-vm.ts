/** A VM that is about to come to this host: everything that it needs here, made ready, and a QEMU that may not run. */
import { arrivingVm, GodwitError, type MoveOrder } from "@godwit/contract";
import { offerDisks, type QemuProcess } from "@godwit/hypervisor";
import { mayLeaveOutPostcopy, requestedStrategy, withoutLastResort, type Listening } from "@godwit/migration";
import { beginArrival, type Datastore } from "@godwit/storage";
import type { UserIds } from "@godwit/system";
import { certificateNumber, migrationCredentials } from "../identity.ts";
import type { Leases } from "../leases/leases.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { checkDevices, checkOrder, checkSource } from "./order-check.ts";

/**
 * What fails is not undone here: whoever gives the move up removes the VM and releases its lease.
 * @param onStarted called with the QEMU as soon as it is there
 * @param onDisks called before the first file is made, of a move that carries its disks
 * @returns where it listens for the source's
 * @throws MOVE_ORDER_REFUSED, MIGRATION_NETWORK_MISSING, MIGRATION_ADDRESS_ABSENT, MIGRATION_PORTS_TAKEN, DESTINATION_MEMORY_SHORT, LEASE_HELD, POSTCOPY_UNAVAILABLE, QMP_REFUSED,
 *   DISK_PERMISSION_DENIED and what starting a VM throws
 */
export async function prepareIncoming(
  {
    commands,
    config,
    environment,
    furtherLinks,
    hypervisor,
    identity,
    leases,
    memory,
    processes,
  }: MoveDependencies,
  order: MoveOrder,
  { onStarted, onDisks }: { onStarted: (process: QemuProcess) => void; onDisks: () => void },
): Promise<Listening> {
  const { accelerator, from, qemuUid } = order;
  checkDevices(order);
  const vm = arrivingVm(order);
  const host = config.name;
  const { migration } = config;
  if (migration === undefined) throw GodwitError.of("MIGRATION_NETWORK_MISSING", { host });
  using _memory = memory.reserve(vm);
  await commands.mustTakeVms(vm.name);
  const datastore = await environment.datastore(vm.datastore);
  const incoming = environment.users.incoming(vm.id, from, qemuUid);
  if (order.storage === undefined) await checkOrder(datastore, order);
  else await prepareDisks(order, datastore, await incoming, { host, leases, onDisks });
  const attached = incoming.then(async (user) => {
    await environment.checkOwnFiles(vm);
    return { user, mayBeFenced: await environment.attachVolumes(vm, user) };
  });
  // The lease first: that another host runs the VM says more than what this one lacks for it.
  const [, spec, , { mayBeFenced }] = await allEnded(
    shareLease(leases, order),
    attached.then(({ user }) => environment.launchSpec(vm, accelerator, true, user)),
    incoming.then((user) => environment.createTaps(vm, user)),
    attached.then(async ({ user, mayBeFenced: may }) => {
      await environment.checkDisks(vm, user, order.storage === undefined ? qemuUid : undefined);
      return { mayBeFenced: may };
    }),
  );
  if (mayBeFenced) await leases.mustCount(vm);
  const process = await hypervisor.start(spec, leases.launcher(vm));
  onStarted(process);
  processes.add(process, "incoming");
  const postcopyLeftOut = await configure(process, order);
  const own = identity.current;
  await process.migration.secureDestination({ credentials: migrationCredentials(own), sourceName: from });
  const certificate = certificateNumber(own);
  const { address, ports } = migration;
  const listening = process.migration.listen(address, ports, furtherLinks.areUsed);
  const port = await listening.catch((error: unknown) => {
    throw listenError(host, migration, error);
  });
  const listens = { address, port, certificate, ...(postcopyLeftOut !== null && { postcopyLeftOut }) };
  if (order.storage === undefined) return listens;
  return { ...listens, disksPort: await offerDisks(process, { host, address, ports }) };
}

/**
 * Sets QEMU for what the order asks, or for no post-copy where QEMU cannot receive one and the order permits that.
 * @returns why post-copy is left out; null: it is not
 * @throws POSTCOPY_UNAVAILABLE, QMP_REFUSED
 */
async function configure({ migration }: QemuProcess, order: MoveOrder): Promise<string | null> {
  const { destinationSettings, refusedAs } = requestedStrategy(order);
  try {
    await migration.configure(destinationSettings);
    return null;
  } catch (error) {
    if (refusedAs === null || !GodwitError.is(error, "QMP_REFUSED")) throw error;
    if (!mayLeaveOutPostcopy(order))
      throw GodwitError.of(refusedAs, { host: order.to.host, reason: error.message }, { cause: error });
    // What QEMU refuses it sets nothing of.
    await migration.configure(requestedStrategy(withoutLastResort(order)).destinationSettings);
    return String(error.problem.details.reason);
  }
}

/**
 * An empty image for each disk that comes with the VM. Nothing here says what the VM is: that its source runs it, its lease says.
 * @throws MOVE_DATASTORE_SHARED, MOVE_ORDER_REFUSED, LEASE_HELD, DISK_FOLDER_TAKEN, DISK_EXISTS, SPACE_SHORT
 */
async function prepareDisks(
  order: MoveOrder,
  datastore: Datastore,
  user: UserIds,
  { host, leases, onDisks }: Pick<MoveDependencies, "leases"> & { host: string; onDisks: () => void },
): Promise<void> {
  const vm = arrivingVm(order);
  if (leases.placeOf(vm) !== "row")
    throw GodwitError.of("MOVE_DATASTORE_SHARED", {
      ...{ vm: vm.name, host, datastore: vm.datastore, isDestination: true },
    });
  await shareLease(leases, order);
  onDisks();
  await beginArrival(datastore, { move: order.id, vm }, order.storage?.disks ?? [], user);
}

/** @throws LEASE_HELD, MOVE_ORDER_REFUSED when it is not the source that has it, and what asking for a lease throws */
async function shareLease(leases: Leases, order: MoveOrder): Promise<void> {
  const answer = await leases.acquire(arrivingVm(order), "SH");
  if (answer.kind === "refused") throw answer.error;
  checkSource(order, answer.lease);
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
