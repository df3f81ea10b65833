/** Hosts as network namespaces on one machine, with real QEMU, real links, a real guest and a client's load on it. */
export { buildGuest, findGuest, type GuestImage, type GuestKernel } from "./guest/build-guest.ts";
export { extendRoot } from "./guest/extend-root.ts";
export { placeGuest, type GuestOptions } from "./guest/place-guest.ts";
export { RedisConnection } from "./load/redis-connection.ts";
export { Lab, type Api } from "./lab.ts";
export type { LabOptions } from "./lab-options.ts";
export { removeLab } from "./remove-lab.ts";
export { readLabFile, type LabFile } from "./lab-file.ts";
export { guestClockOffsetFrom, guestClockOffsetMs } from "./load/guest-clock.ts";
export { guestCpuid, guestCpuidFrom } from "./load/guest-cpuid.ts";
export { dirtyGuest, dirtyGuestFrom, writtenBy, type Dirtying } from "./load/guest-dirtier.ts";
export { Load } from "./load/load.ts";
export type { LoadReport, Window } from "./load/protocol.ts";
export {
  datastore,
  clientAddress,
  datastorePath,
  hostAddress,
  labFolder,
  labsFolder,
  listLabs,
  namespaceOf,
  networks,
  portGroup,
  serverAddress,
  serverPort,
  spareCard,
  vmAddress,
  type NetworkName,
} from "./names.ts";
export { ensureQemu, lacksNewQemu } from "./qemu/ensure-qemu.ts";
export { describeQemu, findQemus, qemuNamed, type LabQemu } from "./qemu/qemus.ts";
export { RunWatch, type Run } from "./run-watch.ts";
export { qemuProcessesOf, qemusOf, rescueSocket, runnersOf, type Runner } from "./runners.ts";
export { listNamespaces, setLink } from "./switch.ts";
export { startIscsiTarget, type IscsiTarget } from "./storage/iscsi-target.ts";
export { startNfsServer } from "./storage/nfs-server.ts";
export { Program } from "./storage/program.ts";
