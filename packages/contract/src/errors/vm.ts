/** Errors about VMs, their descriptions, disks and QEMU processes. */
import type { PauseReason } from "./pause.ts";
import { define } from "./define.ts";
import { pauseRemedy, pauseText } from "./pause.ts";

export const vmErrors = {
  NAME_INVALID: define<{ kind: string; name: string }>(
    400,
    "never",
    (d) => `"${d.name}" is not a valid ${d.kind} name.`,
    () => "Use 1 to 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit.",
  ),
  VM_UNKNOWN: define<{ vm: string }>(
    404,
    "never",
    (d) => `There is no VM ${d.vm}.`,
    () => "godwit vm list shows the VMs.",
  ),
  VM_FOLDER_NOT_FOUND: define<{ vm: string; datastore: string; host: string; reason: string }>(
    409,
    "after-fix",
    (d) =>
      `No host can reach the folder of VM ${d.vm} on datastore ${d.datastore}, and ${d.host}, where it was last, is away: ${d.reason}.`,
    (d) =>
      `Bring ${d.host} back, or make the datastore available on another host. If it is gone for good, take the VM out of the inventory: godwit vm unregister ${d.vm}`,
  ),
  VM_FOLDER_OTHER: define<{ vm: string; host: string; folder: string }>(
    409,
    "after-fix",
    (d) => `The folder ${d.folder} on host ${d.host} belongs to another VM than ${d.vm}.`,
    () =>
      "Two VMs had the same name. Rename one of the folders, or name the host that has this VM's datastore.",
  ),
  VM_EXISTS: define<{ vm: string }>(
    409,
    "never",
    (d) => `A VM ${d.vm} already exists.`,
    () => "Choose another name.",
  ),
  VM_DESCRIPTION_INVALID: define<{ source: string; problems: string[] }>(
    400,
    "never",
    (d) => `The VM description ${d.source} is not valid: ${d.problems.join("; ")}.`,
    () => "Correct the named lines; godwit vm create --help shows an example.",
  ),
  VM_BUSY: define<{ vm: string; task: string; what: string }>(
    409,
    "later",
    (d) =>
      d.task === "" ? `VM ${d.vm} is busy: ${d.what}.` : `VM ${d.vm} is busy with task ${d.task}: ${d.what}.`,
    (d) =>
      d.task === ""
        ? `Wait until that has ended: godwit vm show ${d.vm}`
        : `Wait for it (godwit task watch ${d.task}) or cancel it first.`,
  ),
  VM_RUNNING: define<{ vm: string; host: string }>(
    409,
    "after-fix",
    (d) => `VM ${d.vm} runs on host ${d.host}.`,
    (d) => `Stop it first: godwit vm stop ${d.vm}`,
  ),
  VM_MAY_RUN: define<{ vm: string; host: string }>(
    409,
    "after-fix",
    (d) => `VM ${d.vm} ran on host ${d.host} last and may still run there: the host does not answer.`,
    (d) =>
      `Bring host ${d.host} back and stop the VM (godwit vm stop ${d.vm}). If the host is powered off for good, remove it: godwit host remove ${d.host} --force`,
  ),
  VM_PAUSED: define<{ vm: string; host: string; reason: PauseReason | null }>(
    409,
    "after-fix",
    (d) => `VM ${d.vm} is paused on host ${d.host}: ${pauseText(d.reason)}.`,
    (d) => pauseRemedy(d.vm, d.reason),
  ),
  VM_MOVES_PAUSED: define<{ vm: string; host: string; reason: PauseReason | null }>(
    409,
    "never",
    (d) => `VM ${d.vm} is paused on host ${d.host} (${pauseText(d.reason)}), and arrives paused.`,
    (d) => pauseRemedy(d.vm, d.reason),
  ),
  /** Its agent is of a version that has no word for a guest that stands still. */
  DESTINATION_RESUMES_PAUSED: define<{
    vm: string;
    host: string;
    version: string;
    reason: PauseReason | null;
  }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} is paused (${pauseText(d.reason)}), and the agent of host ${d.host}, ${d.version}, would let it run when it arrives.`,
    (d) => `Upgrade the agent of host ${d.host}, or move the VM when its guest runs.`,
  ),
  VM_GUEST_ANSWERS: define<{ vm: string; host: string }>(
    409,
    "never",
    (d) => `VM ${d.vm} on host ${d.host} was not reset: its guest agent answers again.`,
    (d) => `Reset it all the same: godwit vm reset ${d.vm}`,
  ),
  /** An alarm. */
  VM_GUEST_SILENT: define<{ vm: string; host: string; since: string }>(
    409,
    "after-fix",
    (d) =>
      `The guest of VM ${d.vm} on host ${d.host} may hang: since ${d.since} its guest agent has not answered, and it has neither used a disk nor sent a packet.`,
    (d) => `Look at its console (godwit vm console ${d.vm} --log), then reset it: godwit vm reset ${d.vm}`,
  ),
  /** An alarm of the host that it left, `witness`. */
  VM_MAC_NOT_LEARNED: define<{
    vm: string;
    mac: string;
    network: string;
    host: string;
    witness: string;
    since: string;
  }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} has moved from host ${d.witness} to ${d.host}, and since ${d.since} no frame of its MAC address ${d.mac} has come over port group ${d.network} to ${d.witness}: switches may still send what is for the VM to ${d.witness}.`,
    (d) =>
      `Look at the switch port of ${d.host}: port security or a limit on MAC addresses, and whether its trunk has the VLAN of ${d.network}. Then announce the VM: godwit vm announce ${d.vm}. Where hosts do not receive each other's broadcasts (private VLAN), say so: godwit network set ${d.network} --isolated-hosts`,
  ),
  VM_NOT_RUNNING: define<{ vm: string; state: string }>(
    409,
    "after-fix",
    (d) => `VM ${d.vm} is ${d.state}, not running.`,
    (d) => `Start it first: godwit vm start ${d.vm}`,
  ),
  VM_HELD_ELSEWHERE: define<{ vm: string; host: string; holders: string[] }>(
    409,
    "later",
    (d) =>
      `VM ${d.vm} was not changed: it does not run on host ${d.host}, and ${d.holders.map((name) => `host ${name}`).join(" and ")} holds its lease and may run it.`,
    (d) =>
      `Look where it is now (godwit vm show ${d.vm}), and try again: the list of VMs follows the hosts' next reports. If ${d.holders.join(" or ")} was removed from the cluster, power it off: its lease ends then.`,
  ),
  VM_ALREADY_THERE: define<{ vm: string; host: string }>(
    409,
    "never",
    (d) => `VM ${d.vm} is already on host ${d.host}.`,
    () => "Choose another host.",
  ),
  VM_START_FAILED: define<{ vm: string; host: string; reason: string }>(
    500,
    "after-fix",
    (d) => `VM ${d.vm} did not start on host ${d.host}: ${d.reason}`,
    (d) =>
      `Nothing was left behind. If QEMU's message does not say what to change, the log of the agent on ${d.host} has more: journalctl -u godwit-agent`,
  ),
  VM_RUN_FOLDER_INVALID: define<{ vm: string; host: string; folder: string; reason: string }>(
    500,
    "after-fix",
    (d) =>
      `What host ${d.host} has noted of the QEMU process of VM ${d.vm} cannot be relied on: ${d.reason.replace(/\.$/, "")}.`,
    (d) =>
      `The VM and its lease are left as they are. Look on the host for a QEMU process with -uuid ${d.vm}: shut its guest down, or end the process. Then remove ${d.folder}. The agent looks again every 30 s.`,
  ),
  /** An alarm. */
  VM_SET_ASIDE: define<{ vm: string; id: string; host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `VM ${d.vm} may run on host ${d.host} and cannot be managed: ${d.reason.replace(/\.$/, "")}.`,
    (d) =>
      `Look on ${d.host} for a QEMU process with -uuid ${d.id}: mend what is wrong, or end the process. Its agent looks again every 30 s and before each command on the VM.`,
  ),
  /** An alarm. */
  VM_QEMU_OUTDATED: define<{ vms: string[]; host: string }>(
    409,
    "after-fix",
    (d) =>
      `QEMU was upgraded on host ${d.host} since these VMs started there, and they run on with the one before: ${d.vms.join(", ")}.`,
    (d) =>
      `Bring them onto the new one with: godwit host renew-qemu ${d.host}; each moves to another host and back. Stopping and starting a VM does it, too.`,
  ),
  /** An alarm. */
  VM_FILE_BROKEN: define<{ vm: string; host: string; path: string; reason: string }>(
    409,
    "after-fix",
    (d) =>
      `The description of VM ${d.vm}, ${d.path} on host ${d.host}, is broken: ${d.reason.replace(/\.$/, "")}.`,
    (d) =>
      `Until it is repaired, the VM cannot be started, moved or deleted; if it runs, it runs on. Write the object config of godwit vm show ${d.vm} --json to this file. The alarm ends within 30 s.`,
  ),
  VM_CHANGED_MEANWHILE: define<{ vm: string; changed: string[] }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} was changed by somebody else meanwhile: ${d.changed.join(", ")}. Nothing was changed now.`,
    (d) => `Look at what it is now, and change it again: godwit vm edit ${d.vm}`,
  ),
  VM_TAGS_TOO_MANY: define<{ vm: string; most: number }>(
    409,
    "after-fix",
    (d) => `VM ${d.vm} would have more than ${String(d.most)} tags.`,
    (d) => `Remove some first: godwit vm set ${d.vm} --untag TAG. What it has: godwit vm show ${d.vm}`,
  ),
  VM_ADDRESS_UNKNOWN: define<{ vm: string; host: string; reason: string; linkLocalOnly: boolean }>(
    404,
    "later",
    (d) =>
      `No ${d.linkLocalOnly ? "address of VM " + d.vm + " but link-local ones" : "address of VM " + d.vm} is known: ${d.reason}, and host ${d.host} has none in its neighbour table.`,
    (d) =>
      `A guest that still boots has none yet: godwit vm ip ${d.vm} --wait. With QEMU's guest agent in the guest, and guestAgent: true in the VM's description, it tells them itself.`,
  ),
  DISK_MISSING: define<{ vm: string; disk: string; path: string; host: string }>(
    404,
    "after-fix",
    (d) => `Disk ${d.disk} of VM ${d.vm} is not at ${d.path} on host ${d.host}.`,
    () => "Check that the datastore is mounted there and that the image was not moved.",
  ),
  VM_CLONE_CANCELLED: define<{ vm: string; copy: string }>(
    409,
    "later",
    (d) => `VM ${d.vm} was not copied to ${d.copy}: that was cancelled. Nothing is left of the copy.`,
    (d) => `Copy it again: godwit vm clone ${d.vm} ${d.copy}`,
  ),
  DISK_EXISTS: define<{ vm: string; disk: string; path: string; isVolume?: boolean }>(
    409,
    "after-fix",
    (d) =>
      `Disk ${d.disk} of VM ${d.vm} is not made: there is a ${d.isVolume === true ? "volume" : "file"} ${d.path} already, and it is not written over.`,
    (d) =>
      d.isVolume === true
        ? "Choose another name for the disk. It is a volume that the VM had: it goes when the VM is deleted."
        : "Move the file away, choose another name for the disk or the VM, or name the file as the disk's image.",
  ),
  DISK_IN_USE: define<{ vm: string; disk: string; path: string; by: string }>(
    409,
    "after-fix",
    (d) => `Disk ${d.disk} of VM ${d.vm} (${d.path}) is in use by ${d.by}.`,
    () => "Stop what has it open first; a disk belongs to one VM.",
  ),
  DISK_OF_OTHER_VM: define<{ vm: string; disk: string; path: string; other: string }>(
    409,
    "after-fix",
    (d) =>
      `Disk ${d.disk} of VM ${d.vm} (${d.path}) lies in the folder of VM ${d.other}, whose disk it may be.`,
    (d) =>
      `Copy the image out of that folder while VM ${d.other} is stopped, and name the copy; a disk belongs to one VM.`,
  ),
  /** Where a VM's disks would lie on a datastore that is not its own. */
  DISK_FOLDER_TAKEN: define<{ vm: string; datastore: string; path: string }>(
    409,
    "after-fix",
    (d) =>
      `The disks of VM ${d.vm} cannot be made on datastore ${d.datastore}: ${d.path} is marked as another VM's, or is no folder.`,
    (d) => `Choose another name for the VM. If no VM has disks in ${d.path} any more, move it away.`,
  ),
  /** Of disks that no VM's folder holds: LUNs. */
  DISK_USED_BY_VM: define<{ vm: string; disk: string; datastore: string; path: string; other: string }>(
    409,
    "after-fix",
    (d) =>
      `Disk ${d.disk} of VM ${d.vm} would be ${d.path} on datastore ${d.datastore}, which is a disk of VM ${d.other}.`,
    (d) => `Name another; a disk belongs to one VM. What VM ${d.other} has: godwit vm show ${d.other}`,
  ),
  QMP_REFUSED: define<{ command: string; class: string; reason: string }>(
    500,
    "never",
    (d) => `QEMU refused ${d.command}: ${d.reason}`,
    () =>
      "Nothing was changed by it. If QEMU's message does not say why, its log in the VM's run folder may.",
  ),
  QMP_INTERRUPTED: define<{ command: string; reason: string }>(
    503,
    "later",
    (d) => `The connection to QEMU ended during ${d.command}: ${d.reason}.`,
    () => "Check whether the QEMU process still runs; its log is in the VM's run folder.",
  ),
} as const;
