/** A disk or a NIC of a VM is added, removed or changed by its host. */
import {
  GodwitError,
  hasProcess,
  keptBecause,
  keptDiskSchema,
  vmSchema,
  type DeviceChange,
  type Vm,
} from "@godwit/contract";
import { addDisk } from "./add-disk.ts";
import { keepingDescription } from "./keep-description.ts";
import { mustHaveOwnMacs } from "./own-macs.ts";
import { showCopies } from "./show-copies.ts";
import type { TaskContext } from "./task-context.ts";
import type { TaskImplementation } from "./task-implementation.ts";

/** Images are copied. An agent that is gone is noticed sooner. */
const copyLimitMs = 12 * 3600 * 1000;

export const vmChangeDevice: TaskImplementation<"vm.changeDevice"> = {
  run: async (context) => {
    const { vm, host, home: datastore, change } = context.request;
    const kept = await context.step("kept", keptDiskSchema.nullable(), async () => {
      const { config } = await context.persist(() => context.store.vms.show(vm.id));
      return keptOf(config, change);
    });
    if (!canBeEnded(change))
      await context.change(({ cancellable }) => (cancellable ? { cancellable: false } : {}));
    using _copies = showCopies(context, host, vm.id);
    const config = await keepingDescription(context, context.request, () =>
      context.step("change", vmSchema, async () => {
        await mustHaveOwnMac(context);
        const places = await context.persist(() => context.store.vmUsers.areAllAble(host, "devices"));
        const body = { datastore, name: vm.name, places };
        const params = { vmId: vm.id };
        return await context.ask(host, ({ agent }) =>
          change.what === "addDisk"
            ? addDisk(context, agent, { ...body, change }, copyLimitMs)
            : agent.call("vmDeviceChange", { params, body: { ...body, change } }, { timeoutMs: copyLimitMs }),
        );
      }),
    ).catch((error: unknown) => {
      if (GodwitError.is(error, "DISK_ADD_CANCELLED")) return error;
      throw error;
    });
    if (GodwitError.is(config)) {
      await context.change(() => ({ progress: null }));
      return { state: "cancelled", problem: config.problem };
    }
    await context.persist(() => context.store.vms.saveConfig(config));
    await context.change(() => ({ progress: null }));
    return { state: "succeeded", result: { kept } };
  },

  /** `run` tells the host, and the task ends when nothing is left of the disk. */
  cancel: async (context) => {
    if (!canBeEnded(context.request.change)) {
      const { state } = await context.store.tasks.show(context.id);
      const reason = "only the addition of a disk can be ended";
      throw GodwitError.of("TASK_NOT_CANCELLABLE", { task: context.id, state, reason });
    }
    return await context.change(() => ({ state: "cancelling", cancellable: false }));
  },
};

/** An image is copied, or a volume is zeroed. */
const canBeEnded = ({ what }: DeviceChange): boolean => what === "addDisk";

/** The image that stays where its disk is removed. */
function keptOf({ disks }: Vm, change: DeviceChange) {
  const disk = change.what === "removeDisk" ? disks.find(({ name }) => name === change.disk) : undefined;
  if (disk === undefined || change.what !== "removeDisk") return null;
  const because = keptBecause(disk, change.keepFile ? "none" : "made");
  return because === null ? null : { path: disk.path, datastore: disk.datastore, because };
}

/** Of a VM that runs, since frames to it would reach another one. @throws MAC_IN_USE */
async function mustHaveOwnMac(context: TaskContext<"vm.changeDevice">): Promise<void> {
  const { vm, change } = context.request;
  const now = await context.persist(() => context.store.vms.show(vm.id));
  if (!hasProcess(now)) return;
  if (change.what === "addNic") await mustHaveOwnMacs(context, { ...now.config, nics: [change.nic] });
  if (change.what !== "setNic" || change.portGroup === undefined) return;
  const nic = { portGroup: change.portGroup, mac: change.mac };
  await mustHaveOwnMacs(context, { ...now.config, nics: [nic] });
}
