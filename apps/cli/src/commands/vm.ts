/** `godwit vm …` */
import { buildRouteMap } from "@stricli/core";
import { announceCommand } from "./vm/announce.ts";
import { cdromRoutes } from "./vm/cdrom.ts";
import { checkCommand } from "./vm/check.ts";
import { cloneCommand } from "./vm/clone.ts";
import { consoleCommand } from "./vm/console.ts";
import { createCommand } from "./vm/create.ts";
import { editCommand } from "./vm/edit.ts";
import { deleteCommand } from "./vm/delete.ts";
import { diskRoutes } from "./vm/disk.ts";
import { exportCommand } from "./vm/export.ts";
import { hostDeviceRoutes } from "./vm/host-device.ts";
import { importCommand } from "./vm/import.ts";
import { ipCommand } from "./vm/ip.ts";
import { leaseRoutes } from "./vm/lease.ts";
import { listCommand } from "./vm/list.ts";
import { migrateCommand } from "./vm/migrate.ts";
import { nicRoutes } from "./vm/nic.ts";
import { pauseCommand } from "./vm/pause.ts";
import { resetCommand } from "./vm/reset.ts";
import { registerCommand } from "./vm/register.ts";
import { registerAllCommand } from "./vm/register-all.ts";
import { resumeCommand } from "./vm/resume.ts";
import { setCommand } from "./vm/set.ts";
import { setCpuCommand } from "./vm/set-cpu.ts";
import { showCommand } from "./vm/show.ts";
import { snapshotRoutes } from "./vm/snapshot.ts";
import { startCommand } from "./vm/start.ts";
import { stopCommand } from "./vm/stop.ts";
import { suspendCommand } from "./vm/suspend.ts";
import { unregisterCommand } from "./vm/unregister.ts";
import { summaries } from "../summaries.ts";

export const vmRoutes = buildRouteMap({
  routes: {
    list: listCommand,
    show: showCommand,
    create: createCommand,
    clone: cloneCommand,
    import: importCommand,
    export: exportCommand,
    register: registerCommand,
    registerAll: registerAllCommand,
    unregister: unregisterCommand,
    edit: editCommand,
    set: setCommand,
    setCpu: setCpuCommand,
    disk: diskRoutes,
    nic: nicRoutes,
    cdrom: cdromRoutes,
    hostDevice: hostDeviceRoutes,
    snapshot: snapshotRoutes,
    start: startCommand,
    stop: stopCommand,
    pause: pauseCommand,
    resume: resumeCommand,
    suspend: suspendCommand,
    reset: resetCommand,
    check: checkCommand,
    migrate: migrateCommand,
    console: consoleCommand,
    ip: ipCommand,
    announce: announceCommand,
    lease: leaseRoutes,
    delete: deleteCommand,
  },
  docs: { brief: summaries.vm.brief },
});
