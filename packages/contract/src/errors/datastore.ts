/** Errors about datastores. */
import { define } from "./define.ts";

export const datastoreErrors = {
  DATASTORE_UNKNOWN: define<{ datastore: string; host?: string; known: string[] }>(
    404,
    "never",
    (d) =>
      `There is no datastore ${d.datastore}${d.host === undefined ? "" : ` on host ${d.host}`}${d.known.length > 0 ? `; known are ${d.known.join(", ")}` : ""}.`,
    () => "Name one of the known datastores, or define it: godwit datastore add --help",
  ),
  /** `vms`: those that run from there. */
  DATASTORE_UNAVAILABLE: define<{ datastore: string; host: string; reason: string; vms?: string[] }>(
    503,
    "later",
    (d) =>
      `Datastore ${d.datastore} cannot be used on host ${d.host}: ${d.reason}${(d.vms ?? []).length === 0 ? "" : `; running from it there: ${(d.vms ?? []).join(", ")}`}.`,
    (d) => unavailableRemedy(d),
  ),
  DATASTORE_NOT_MARKED: define<{ datastore: string; host: string; reason: string }>(
    503,
    "after-fix",
    (d) => `Datastore ${d.datastore} cannot be used on host ${d.host}: ${d.reason}.`,
    (d) => notMarkedRemedy(d.datastore),
  ),
  /** It has LUNs. */
  DATASTORE_WITHOUT_FOLDERS: define<{ datastore: string; host: string }>(
    409,
    "never",
    (d) =>
      `Datastore ${d.datastore} has LUNs and no folders: on host ${d.host} no VM's folder, image or ISO image can lie there.`,
    () =>
      "Name a datastore of kind nfs or directory for the VM; a disk of it can be a LUN (kind iscsi: { datastore: NAME, image: lun-1, take: true, format: raw }) or a volume on one (kind lun: { datastore: NAME, sizeMib: 10240, format: raw }). The kinds: godwit datastore list",
  ),
  /** `holds`: kinds of what was found, as `wipefs` names them. */
  LUN_NOT_EMPTY: define<{ datastore: string; host: string; device: string; holds: string[] }>(
    409,
    "after-fix",
    (d) =>
      `Datastore ${d.datastore} is not marked: LUN ${d.device} of host ${d.host} is not empty, there is ${d.holds.join(", ")} on it.`,
    (d) =>
      `Check that it is the LUN that you mean: lsblk -f ${d.device}. If nobody needs what is on it, remove that on the host with wipefs --all ${d.device}, and try again.`,
  ),
  LUN_METADATA_LOCKED: define<{ datastore: string; host: string; reason: string }>(
    503,
    "later",
    (d) => `The volumes of datastore ${d.datastore} cannot be changed on host ${d.host} now: ${d.reason}.`,
    (d) => `Try again. Which hosts have the leases of the LUN: godwit datastore show ${d.datastore}`,
  ),
  DATASTORE_WITHOUT_RESERVATIONS: define<{ datastore: string }>(
    409,
    "never",
    (d) => `Datastore ${d.datastore} has no persistent reservations: only one of kind lun can have them.`,
    () => "Name a datastore of kind lun: godwit datastore list",
  ),
  /** `why`: of each host or for all of them, what keeps it from that. */
  RESERVATIONS_REFUSED: define<{ datastore: string; on: boolean; why: string[] }>(
    409,
    "after-fix",
    (d) =>
      `The persistent reservations of datastore ${d.datastore} are not turned ${d.on ? "on" : "off"}: ${d.why.slice(0, 10).join("; ")}${d.why.length > 10 ? `; and ${String(d.why.length - 10)} more` : ""}.`,
    (d) =>
      `All its hosts have to be connected, with an agent of this version, and sg3-utils installed (apt install sg3-utils). How each is: godwit datastore show ${d.datastore}`,
  ),
  DATASTORE_RESERVED: define<{ datastore: string }>(
    409,
    "after-fix",
    (d) => `Datastore ${d.datastore} cannot be removed while persistent reservations are on.`,
    (d) => `Turn them off first: godwit datastore set ${d.datastore} --reservations off`,
  ),
  DATASTORE_WITHOUT_FENCING: define<{ datastore: string; reason: string }>(
    409,
    "never",
    (d) => `Hosts are not fenced at datastore ${d.datastore} by a program: ${d.reason}.`,
    (d) =>
      `A datastore of kind nfs, iscsi or directory that its hosts share can have a program. What this one is and has: godwit datastore show ${d.datastore}`,
  ),
  FENCE_PROGRAM_UNUSABLE: define<{ datastore: string; program: string; reason: string }>(
    409,
    "after-fix",
    (d) => `Fence program ${d.program} of datastore ${d.datastore} cannot be used: ${d.reason}.`,
    () =>
      "It is a file in the server's folder of fence programs, which root or the server's user owns and nobody else can write to, and ends with 0 when it is asked to check. Nothing was changed.",
  ),
  /** Also an alarm: a host was fenced, and has not got its access back. `isBootKnown` false: it does not get it back by reporting after a restart. */
  DATASTORE_ACCESS_REVOKED: define<{
    datastore: string;
    host: string;
    since: string;
    reason: string | null;
    isBootKnown?: boolean;
  }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} was fenced at datastore ${d.datastore} at ${d.since}, and has not got its access to the storage back${d.reason === null ? "" : `: ${d.reason}`}.`,
    (d) =>
      d.isBootKnown === false
        ? restartAndRestore(d)
        : `Restart host ${d.host}: it gets its access back when it reports. If it was restarted before, or is off for good: godwit datastore restore ${d.datastore} --host ${d.host} --host-was-restarted`,
  ),
  DATASTORE_ACCESS_NOT_RESTORED: define<{ datastore: string; host: string; reason: string }>(
    503,
    "later",
    (d) => `Host ${d.host} did not get its access to datastore ${d.datastore} back: ${d.reason}.`,
    (d) =>
      `Look at the storage server and the program. It may have done a part; try again: godwit datastore restore ${d.datastore} --host ${d.host} --host-was-restarted`,
  ),
  DATASTORE_REPLACED: define<{ datastore: string; host: string; reason: string }>(
    503,
    "after-fix",
    (d) => `Datastore ${d.datastore} cannot be used on host ${d.host}: ${d.reason}.`,
    () => "Mount the storage that was there. If it was replaced on purpose, restart the host's agent.",
  ),
  DATASTORE_ON_ROOT: define<{ datastore: string; path: string }>(
    409,
    "after-fix",
    (d) =>
      `Datastore ${d.datastore} is shared, and ${d.path} lies on this host's root file system: no storage is mounted there.`,
    () => "Mount the storage, and try again. If the folder is shared in another way, add --on-root.",
  ),
  DATASTORE_EXISTS: define<{ datastore: string; reason: string }>(
    409,
    "never",
    (d) => `There is a datastore ${d.datastore} already: ${d.reason}.`,
    (d) => `Choose another name, or look at the one that there is: godwit datastore show ${d.datastore}`,
  ),
  /** `found`: what is there instead. */
  DATASTORE_FOLDER_MISSING: define<{ datastore: string; folder: string; found: string }>(
    404,
    "never",
    (d) =>
      `Datastore ${d.datastore} has no folder ${d.folder}${d.found === "missing" ? "" : `: what is there is ${d.found === "link" ? "a symbolic link, or lies behind one" : d.found === "file" ? "a file" : "something else"}`}.`,
    (d) => `What it has: godwit datastore browse ${d.datastore}`,
  ),
  /** `users`: VMs and tasks, in words. */
  DATASTORE_IN_USE: define<{ datastore: string; host: string | null; users: string[] }>(
    409,
    "after-fix",
    (d) =>
      `Datastore ${d.datastore} cannot be removed${d.host === null ? "" : ` from host ${d.host}`}: it is used by ${d.users.slice(0, 10).join(", ")}${d.users.length > 10 ? ` and ${String(d.users.length - 10)} more` : ""}.`,
    () => "Delete these VMs, or take them out of the inventory with godwit vm unregister; then try again.",
  ),
  /** Also an alarm: a host has not what the inventory defines. */
  DATASTORE_NOT_APPLIED: define<{ datastore: string; host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} does not have datastore ${d.datastore} as it is defined: ${d.reason}.`,
    (d) =>
      `It is tried again with every report of the host. What is defined and what the host has: godwit datastore show ${d.datastore}`,
  ),
  /** Whether it is shared storage is said by each host's own configuration. */
  DATASTORE_NOT_SHARED_THERE: define<{ host: string; datastore: string }>(
    409,
    "after-fix",
    (d) =>
      `The agent's configuration of host ${d.host} says that datastore ${d.datastore}, where the VM's folder is, is local to that host.`,
    (d) =>
      `If it is the same shared storage, set shared: true for ${d.datastore} in the agent's configuration of ${d.host} and restart the agent; if it is not, give one of the two another name. Where ${d.host} has it from the inventory: godwit datastore show ${d.datastore}`,
  ),
  DATASTORE_FULL: define<{
    datastore: string;
    host: string;
    vms: string[];
    freeBytes: number | null;
    totalBytes: number | null;
  }>(
    507,
    "after-fix",
    (d) =>
      `Datastore ${d.datastore} has no room for what ${d.vms.join(", ")} on host ${d.host} ${d.vms.length === 1 ? "writes" : "write"}: ${mib(d.freeBytes)} of ${mib(d.totalBytes)} are free.`,
    () =>
      "Make it larger, or delete or move what is on it. VMs that stand still for it then go on by themselves.",
  ),
} as const;

const mib = (bytes: number | null): string =>
  bytes === null ? "an unknown amount" : `${String(Math.floor(bytes / 1048576))} MiB`;

function unavailableRemedy({
  datastore,
  host,
  reason,
}: {
  datastore: string;
  host: string;
  reason: string;
}): string {
  if (reason.includes("is not marked as a datastore")) return notMarkedRemedy(datastore);
  if (reason.includes("which boot was fenced is not known")) return restartAndRestore({ datastore, host });
  if (reason.includes("was fenced there"))
    return `Restart host ${host}: it gets its access back when it reports. What is known: godwit datastore show ${datastore}`;
  if (reason.includes("cannot be mounted"))
    return `Check that the server runs, that it exports this folder to ${host} (showmount -e SERVER), and that the network between is open; the agent there tries again by itself.`;
  if (reason.includes("no LUN with this WWN"))
    return `Check on ${host} that the LUN is mapped to it and that the session is there (iscsiadm -m session, or multipath -ll): ls /dev/disk/by-id shows it as wwn-0x…; the agent there looks again by itself.`;
  if (reason.includes("LUN"))
    return `Look at it on ${host}: ls -l /dev/disk/by-id; multipath -ll; pvs. The agent there looks again by itself.`;
  if (reason.includes("cannot be reached"))
    return `Check that the target runs and that the network between it and ${host} is open; the agent there looks again by itself.`;
  return `Check on ${host} that it is mounted, answers and is writable: findmnt -T PATH names its storage and its options; of a LUN, ls -l /dev/disk/by-id and multipath -ll.`;
}

const restartAndRestore = ({ datastore, host }: { datastore: string; host: string }): string =>
  `Restart host ${host}, or see that it is off for good, and then: godwit datastore restore ${datastore} --host ${host} --host-was-restarted`;

const notMarkedRemedy = (datastore: string): string =>
  `Check that it is the storage that you mean, and, of a folder, that it is mounted there. If the storage is new, mark it once, on one host: godwit datastore init ${datastore}`;
