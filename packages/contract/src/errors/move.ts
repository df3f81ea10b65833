/** Errors that end a move, and findings of the requirement checks that forbid one. */
import { define } from "./define.ts";

const notConverging = {
  deadline: "its deadline has passed",
  tooLong: "the copy has gone on for too long",
  switchesBackedOut: "too many switches would have taken longer than allowed",
  noLongerShrinking: "what is left no longer shrinks, with the guest slowed down as far as is allowed",
  postcopyWouldHurt: "it would have to wait for its memory for minutes in a post-copy",
} as const;

export const moveErrors = {
  MOVE_REFUSED: define<{ vm: string; from: string; to: string; count: number }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} may not move from ${d.from} to ${d.to}: ${String(d.count)} ${d.count === 1 ? "requirement is" : "requirements are"} not met.`,
    () => "Each finding says what is wrong, where, and what to do.",
  ),
  JOURNAL_UNREADABLE: define<{ path: string; reason: string }>(
    500,
    "after-fix",
    (d) => `The journal of a move, ${d.path}, cannot be read: ${d.reason}. The agent does not start.`,
    () =>
      "VMs run on. Another version's journal: start the agent of that version and let its moves end, then this one. A damaged one: see where the VM runs (godwit vm lease show), end its other QEMU by hand, and move the file away.",
  ),
  MOVE_ORDER_REFUSED: define<{ vm: string; from: string; host: string; reason: string }>(
    403,
    "never",
    (d) => `Host ${d.host} does not take VM ${d.vm} from host ${d.from}: ${d.reason}.`,
    (d) =>
      `The VM was not moved. If vm.json was changed while the VM runs, stop and start it; else host ${d.from} asked for what is not its own: look at its agent's log.`,
  ),
  MOVE_DISKS_FAILED: define<{ vm: string; host: string; datastore: string; reason: string }>(
    503,
    "later",
    (d) =>
      `The disks of VM ${d.vm} were not copied to datastore ${d.datastore} of host ${d.host}: ${d.reason.replace(/\.$/, "")}.`,
    () => "The VM stays at its source, and what was copied is removed. Remove the cause and move it again.",
  ),
  /** `isDestination`: the datastore is the one that the disks were to move to. */
  MOVE_DATASTORE_SHARED: define<{ vm: string; host: string; datastore: string; isDestination?: boolean }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} cannot move together with its disks: datastore ${d.datastore} of host ${d.host} is shared, so that the VM's lease lies on it, or would.`,
    (d) =>
      d.isDestination === true
        ? `Name a datastore of ${d.host} alone with --datastore. When the VM runs there, its disks can move on: godwit vm migrate ${d.vm} --datastore ${d.datastore}`
        : `Move the VM alone, while its disks lie on storage that both hosts see: godwit vm migrate ${d.vm} --to HOST. Its disks move by themselves, before or after that: godwit vm migrate ${d.vm} --datastore NAME`,
  ),
  MOVE_DISKS_HAVE_SNAPSHOTS: define<{ vm: string; snapshots: string[] }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} cannot move together with its disks: their copies would not have its snapshots (${d.snapshots.join(", ")}).`,
    (d) =>
      `Delete ${d.snapshots.length === 1 ? "it" : "each of them"} first: godwit vm snapshot delete ${d.vm} ${d.snapshots[0] ?? "NAME"}`,
    "SnapshotMoveNotSupported",
  ),
  MOVE_FIRMWARE_STAYS: define<{ vm: string }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} cannot move together with its disks: it has UEFI firmware, whose variables are a file that is not moved with them.`,
    (d) =>
      `If its folder lies on storage that both hosts see, move it without --datastore. If not: shut it down and clone it to such storage, with its variables: godwit vm clone ${d.vm} NEW --datastore NAME`,
  ),
  MOVE_DISKS_NEED_PRECOPY: define<{ vm: string }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} cannot move together with its disks by post-copy: until its memory has arrived both hosts would have a part of it, and only one of them its disks.`,
    () => "Move it without --strategy postcopy.",
  ),
  MOVE_UNKNOWN: define<{ move: string }>(
    404,
    "never",
    (d) => `There is no move ${d.move} on this host.`,
    () => "godwit task list shows the moves and their hosts.",
  ),
  MOVE_CANCELLED: define<{ vm: string; host: string }>(
    409,
    "never",
    (d) => `The move was cancelled; VM ${d.vm} stays at ${d.host}.`,
    () => "Nothing needs to be done.",
  ),
  MOVE_PREPARE_FAILED: define<{ vm: string; host: string; reason: string }>(
    503,
    "after-fix",
    (d) => `Host ${d.host} could not prepare for VM ${d.vm}: ${d.reason.replace(/\.$/, "")}.`,
    () => "The VM stays at its source. Fix the cause and move it again.",
  ),
  POSTCOPY_UNAVAILABLE: define<{ host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `QEMU on host ${d.host} cannot receive a post-copy migration: ${d.reason}`,
    (d) =>
      `The VM stays at its source. Allow it on ${d.host} (sysctl vm.unprivileged_userfaultfd=1), or move the VM with --postcopy never, and without --strategy postcopy.`,
  ),
  MIGRATION_STREAM_FAILED: define<{ host: string; reason: string }>(
    503,
    "later",
    (d) => `No migration stream to host ${d.host} could be opened for the rest of a VM's memory: ${d.reason}`,
    () =>
      "The VM waits for its memory, and the connection is tried again. Check the migration network between the hosts.",
  ),
  MOVE_PEER_UNREACHED: define<{ vm: string; from: string; host: string; url: string; forMs: number }>(
    503,
    "later",
    (d) =>
      `The agent of host ${d.from} could not reach that of host ${d.host} at ${d.url} within ${String(Math.round(d.forMs / 1000))} s; VM ${d.vm} was not moved.`,
    (d) =>
      `The VM stays at its source. Open that port from ${d.from} to ${d.host} on the management network; the log of the agent on ${d.from} has the reason of each attempt.`,
  ),
  /** `forMs` null: it was not there in the moment in which the move needed it. */
  MOVE_PEER_LOST: define<{ vm: string; host: string; forMs: number | null }>(
    503,
    "later",
    (d) =>
      d.forMs === null
        ? `The connection to host ${d.host} was broken when VM ${d.vm} was to be switched; the move was undone.`
        : `Host ${d.host} did not respond for ${String(Math.round(d.forMs / 1000))} s before the switch; the move of VM ${d.vm} was undone.`,
    () => "The VM stays at its source. Check the management network between the hosts.",
  ),
  MOVE_COPY_FAILED: define<{ vm: string; reason: string }>(
    500,
    "later",
    (d) => `QEMU could not send VM ${d.vm}: ${d.reason.replace(/\.$/, "")}.`,
    (d) =>
      `The VM stays at its source. godwit vm check ${d.vm} --to HOST tries the way to a host again; QEMU's log has more.`,
  ),
  MOVE_NOT_CONVERGING: define<{
    vm: string;
    maxOutageMs: number;
    bestMs: number;
    rounds: number;
    backOuts: number;
    /** Why it was given up, where that can have more than one reason. */
    because?: keyof typeof notConverging;
  }>(
    409,
    "later",
    (d) =>
      `${d.because === "deadline" || d.because === "tooLong" ? `VM ${d.vm} was not switched in time` : `VM ${d.vm} changes its memory faster than the link transfers it`}: after ${String(d.rounds)} rounds and ${String(d.backOuts)} attempts the best outage was ${String(Math.ceil(d.bestMs))} ms, over the budget of ${String(d.maxOutageMs)} ms${d.because === undefined ? "" : `; ${notConverging[d.because]}`}.`,
    (d) =>
      `The VM stays at its source. Allow a longer outage (--max-outage ${String(Math.ceil((d.bestMs * 1.5) / 10) * 10)}ms), use a faster migration network, move it when it is less busy, or let its memory follow it (--strategy postcopy).`,
  ),
  MOVE_COPY_UNSAFE: define<{ vm: string; host: string; qemu: string; maxOutageMs: number }>(
    409,
    "later",
    (d) =>
      `VM ${d.vm} is emulated by QEMU ${d.qemu} on host ${d.host}, which can lose changes when memory is copied in more than one round; it changes more memory in a round than fits an outage of ${String(d.maxOutageMs)} ms.`,
    (d) =>
      `The VM stays at its source. Move it when it is less busy or allow a longer outage (--max-outage ${String(d.maxOutageMs * 2)}ms); under KVM, or with QEMU 9.0 and later on ${d.host}, there is no such limit.`,
  ),
  MOVE_DESTINATION_FAILED: define<{ vm: string; host: string; reason: string }>(
    500,
    "after-fix",
    (d) => `Host ${d.host} could not take over VM ${d.vm}: ${d.reason.replace(/\.$/, "")}.`,
    (d) =>
      `The VM stays at its source. The log of the agent on ${d.host} has more: journalctl -u godwit-agent`,
  ),
  MOVE_VM_LOST: define<{ vm: string; host: string; reason: string }>(
    500,
    "after-fix",
    (d) => `The QEMU process of VM ${d.vm} on host ${d.host} ended during the move: ${d.reason}`,
    (d) => `Its disks are intact. Start it with: godwit vm start ${d.vm}`,
  ),
  MOVE_GUEST_SHUT_DOWN: define<{ vm: string; host: string }>(
    409,
    "never",
    (d) => `The guest of VM ${d.vm} shut itself down on host ${d.host} during the move; the VM is stopped.`,
    (d) => `Nothing was lost. Start it with: godwit vm start ${d.vm}`,
  ),

  // Findings of the requirement checks.
  DESTINATION_UNREACHABLE: define<{ host: string; reason: string }>(
    409,
    "later",
    (d) => `The destination ${d.host} does not answer: ${d.reason}.`,
    (d) =>
      `Bring ${d.host} and its agent up (systemctl status godwit-agent on it), see that the server reaches its port, or choose another host.`,
  ),
  DESTINATION_NOT_TRUSTED: define<{ host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `Something answers as host ${d.host}, and the server does not take it for it: ${d.reason}.`,
    (d) =>
      `Compare the clocks of the server and of ${d.host} (timedatectl). If the host was reinstalled, let it join again: godwit host token --rejoin ${d.host}`,
  ),
  DESTINATION_MEMORY_SHORT: define<{ host: string; neededBytes: number; availableBytes: number }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} has ${String(Math.floor(d.availableBytes / 1048576))} MiB of memory available; the VM needs ${String(Math.ceil(d.neededBytes / 1048576))} MiB.`,
    (d) => `Move or stop other VMs on ${d.host}, or choose another host.`,
  ),
  DESTINATION_MEMORY_UNDETERMINED: define<{ host: string; reason: string }>(
    409,
    "later",
    (d) => `How much memory host ${d.host} has available is not known: ${d.reason}.`,
    (d) => `See what ${d.host} reports: godwit host show ${d.host}; or choose another host.`,
  ),
  DESTINATION_LACKS_DATASTORE: define<{ host: string; datastore: string; disks: string[] }>(
    409,
    "after-fix",
    (d) =>
      `The agent's configuration of host ${d.host} names no datastore ${d.datastore}, which holds ${d.disks.join(", ")}.`,
    (d) =>
      `Mount that storage on ${d.host}, name it ${d.datastore} in its agent's configuration (datastores), and restart the agent; or move the VM's disks with it, if they lie on a datastore of its own host alone: godwit vm migrate VM --to ${d.host} --datastore NAME`,
  ),
  DATASTORE_NOT_THE_SAME: define<{ host: string; datastore: string; other: string }>(
    409,
    "after-fix",
    (d) =>
      `Hosts ${d.host} and ${d.other} both have a datastore ${d.datastore}, but they are different storage.`,
    (d) => `Give ${d.host} the same storage, or rename one of the two.`,
  ),
  DATASTORE_HOST_LOCAL: define<{
    vm: string;
    host: string;
    destination: string;
    datastore: string;
    disks: string[];
    /** How the VM can come to the other host; absent: with its disks. `disks`: they move alone, for its folder is not there. */
    way?: "together" | "disks" | "clone";
  }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} has ${d.disks.join(", ")} on datastore ${d.datastore}, which is local to host ${d.host}.`,
    (d) => {
      if (d.way === "disks")
        return `Move them to storage that both hosts see: godwit vm migrate ${d.vm} --datastore NAME`;
      const clone = `clone it, while it is stopped, to storage that both hosts see: godwit vm clone ${d.vm} NEW --datastore NAME`;
      return d.way === "clone"
        ? `It has UEFI firmware or a TPM, which do not move with disks: ${clone}. Where it has a TPM, the clone's is empty.`
        : `Move it with its disks, while it runs, to a datastore of ${d.destination} alone: godwit vm migrate ${d.vm} --to ${d.destination} --datastore NAME. Or ${clone}`;
    },
  ),
  DESTINATION_QEMU_OLDER: define<{ host: string; machine: string; version: string }>(
    409,
    "after-fix",
    (d) => `QEMU ${d.version} on host ${d.host} does not know the VM's machine type ${d.machine}.`,
    (d) => `Upgrade QEMU on ${d.host}, or choose a host with the same or a newer version.`,
  ),
  /** Its version is new enough: the machine type was removed, or is of another distributor's QEMU. */
  DESTINATION_MACHINE_UNKNOWN: define<{ host: string; machine: string; version: string }>(
    409,
    "after-fix",
    (d) =>
      `QEMU ${d.version} on host ${d.host} does not have the VM's machine type ${d.machine}, although it is not older.`,
    () =>
      "Newer QEMUs no longer have the oldest machine types, and distributors have some of their own: choose a host whose QEMU has it (qemu-system-x86_64 -machine help).",
  ),
  DESTINATION_ACCELERATOR_DIFFERS: define<{ host: string; source: string; destination: string }>(
    409,
    "after-fix",
    (d) => `The VM runs under ${d.source}, but host ${d.host} offers only ${d.destination}.`,
    () => "Choose a host with the same accelerator.",
  ),
  DESTINATION_WITHOUT_VM_UIDS: define<{ host: string; uid: number; reason: string }>(
    409,
    "after-fix",
    (d) =>
      `The VM's QEMU has a uid of its own (${String(d.uid)}), as which host ${d.host} cannot run it: ${d.reason}.`,
    (d) =>
      `Run the agent of ${d.host} outside of a container, or map these uids and gids in the container's configuration, and restart it; an agent of an earlier version must be upgraded. Or choose another host.`,
  ),
  DESTINATION_VM_UIDS_DIFFER: define<{
    host: string;
    other: string;
    vmUids: { first: number; count: number };
    otherVmUids: { first: number; count: number };
  }>(
    409,
    "after-fix",
    (d) =>
      `Hosts ${d.host} and ${d.other} give VMs different uids: ${String(d.vmUids.count)} from ${String(d.vmUids.first)}, and ${String(d.otherVmUids.count)} from ${String(d.otherVmUids.first)}.`,
    (d) =>
      `Set qemu.vmUids in the agent's configuration of ${d.host} as on ${d.other}. VMs that run keep the uid that they have.`,
  ),
  DESTINATION_IN_MAINTENANCE: define<{ host: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} is in maintenance mode.`,
    (d) => `End it with: godwit host maintenance exit ${d.host}; or choose another host.`,
  ),
} as const;
