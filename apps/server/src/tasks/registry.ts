/** What each kind of task does. A kind of the contract that is missing here is an error of types. */
import type { TaskKind } from "@godwit/contract";
import { hostEnterMaintenance } from "./host-enter-maintenance.ts";
import { hostPowerOff } from "./host-power-off.ts";
import { hostPowerOn } from "./host-power-on.ts";
import { hostRenewQemu } from "./host-renew-qemu.ts";
import { imageAdd } from "./image-add.ts";
import type { TaskImplementation } from "./task-implementation.ts";
import { poolUpdate } from "./pool-update.ts";
import { vmChangeDevice } from "./vm-change-device.ts";
import { vmClone } from "./vm-clone.ts";
import { vmExport } from "./vm-export.ts";
import { vmConfigure } from "./vm-configure.ts";
import { vmCreate } from "./vm-create.ts";
import { vmCreateSnapshot } from "./vm-create-snapshot.ts";
import { vmDelete } from "./vm-delete.ts";
import { vmDeleteSnapshot } from "./vm-delete-snapshot.ts";
import { vmMigrate } from "./vm-migrate.ts";
import { vmPause } from "./vm-pause.ts";
import { vmRelocate } from "./vm-relocate.ts";
import { vmRelocateDisks } from "./vm-relocate-disks.ts";
import { vmReset } from "./vm-reset.ts";
import { vmResume } from "./vm-resume.ts";
import { vmRevertToSnapshot } from "./vm-revert-to-snapshot.ts";
import { vmStart } from "./vm-start.ts";
import { vmStop } from "./vm-stop.ts";
import { vmSuspend } from "./vm-suspend.ts";

const implementations: { [K in TaskKind]: TaskImplementation<K> } = {
  "vm.create": vmCreate,
  "vm.clone": vmClone,
  "vm.export": vmExport,
  "vm.configure": vmConfigure,
  "vm.changeDevice": vmChangeDevice,
  "vm.start": vmStart,
  "vm.stop": vmStop,
  "vm.pause": vmPause,
  "vm.suspend": vmSuspend,
  "vm.resume": vmResume,
  "vm.reset": vmReset,
  "vm.delete": vmDelete,
  "vm.migrate": vmMigrate,
  "vm.relocate": vmRelocate,
  "vm.relocateDisks": vmRelocateDisks,
  "vm.createSnapshot": vmCreateSnapshot,
  "vm.revertToSnapshot": vmRevertToSnapshot,
  "vm.deleteSnapshot": vmDeleteSnapshot,
  "image.add": imageAdd,
  "host.enterMaintenance": hostEnterMaintenance,
  "host.renewQemu": hostRenewQemu,
  "host.powerOff": hostPowerOff,
  "host.powerOn": hostPowerOn,
  "pool.update": poolUpdate,
};

export const implementationOf = <K extends TaskKind>(kind: K): TaskImplementation<K> => implementations[kind];
