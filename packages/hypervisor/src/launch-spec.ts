/** What a QEMU process is made from; kept beside it, so that an agent that starts again knows what runs. */
import {
  acceleratorSchema,
  GodwitError,
  macSchema,
  memoryDeviceProblems,
  taskIdSchema,
  vmSchema,
} from "@godwit/contract";
import { z } from "zod";

const absolutePathSchema = z
  .string()
  .max(4096)
  .regex(/^\/\P{Cc}*$/u, "must be an absolute path without control characters");
const interfaceNameSchema = z.string().regex(/^[A-Za-z0-9._-]{1,15}$/, "must be a network interface name");

const lunSchema = z.object({
  /** Address and port. */
  portal: z.string().regex(/^[0-9a-f.:[\]]{1,60}$/, "must be an address and a port"),
  target: z.string().regex(/^[A-Za-z0-9.:-]{1,223}$/, "must be an iSCSI name"),
  lun: z.int().min(0).max(99_999),
  initiator: z.string().regex(/^[A-Za-z0-9._:-]{1,223}$/, "must be an iSCSI name"),
  /** By CHAP. Absent: the target asks for none. */
  chapUser: z
    .string()
    .regex(/^[\x21-\x7e]{1,223}$/, "must be a CHAP name")
    .optional(),
});

/** Who a VM's QEMU runs as. */
const launchUserSchema = z.object({
  uid: z.int().min(1),
  gid: z.int().min(1),
  /** Why it is the one that VMs share, the end of a sentence; null: it is the VM's own. */
  sharedBecause: z.string().nullable(),
});
export type LaunchUser = z.infer<typeof launchUserSchema>;

export const launchSpecSchema = z.object({
  vm: vmSchema,
  accelerator: acceleratorSchema,
  /** Disk name to absolute path of its image, of disks that the host has as files or block devices. */
  diskPaths: z.record(z.string(), absolutePathSchema),
  /** Names of those of them that are block devices of the host. Absent: none. */
  blockDevices: z.array(z.string()).max(64).optional(),
  /** Disk name to its LUN. */
  luns: z.record(z.string(), lunSchema).default({}),
  /** Name of a CD-ROM drive to absolute path of the medium in it. */
  mediumPaths: z.record(z.string(), absolutePathSchema).default({}),
  kernelPath: absolutePathSchema.nullable(),
  initrdPath: absolutePathSchema.nullable(),
  /** Of a VM that boots by UEFI: the firmware, and the VM's own variables. Absent: it boots by the BIOS. */
  uefi: z.object({ codePath: absolutePathSchema, nvramPath: absolutePathSchema }).optional(),
  /** Of a VM with a TPM: the folder of its state. Absent: it has none. */
  tpm: z.object({ folder: absolutePathSchema }).optional(),
  /** Of the host, that it has for itself: what QEMU opens, and what it looks at. Absent: none. */
  hostDevices: z
    .array(
      z.object({
        name: z.string().regex(/^[a-z0-9-]{1,63}$/, "must be a name"),
        node: z
          .string()
          .regex(/^\/dev\/(?:vfio\/\d+|bus\/usb\/\d{3}\/\d{3})$/, "must be a device of the host"),
        sysfs: z.array(z.string().regex(/^\/sys\/[A-Za-z0-9:._/-]+$/, "must be in /sys")).max(2),
      }),
    )
    .max(8)
    .optional(),
  taps: z.array(z.object({ interfaceName: interfaceNameSchema, mac: macSchema })),
  /** Its NICs' devices have ids. Absent: of a version that gave them none. */
  namedNics: z.literal(true).optional(),
  /** A move's destination: it waits for its state on the network. */
  incoming: z.boolean(),
  /** The snapshot, or the suspension, whose memory it is to have before its guest may run; absent: it has all that it needs. */
  loads: z.uuid().optional(),
  /** The file that it has this memory from, where that is no snapshot in its disks. */
  memoryPath: absolutePathSchema.optional(),
  /** It is being suspended to disk: whether its guest ran before. Absent: it is not. */
  suspending: z.object({ ran: z.boolean(), task: taskIdSchema.optional() }).optional(),
  /** The task of its last reset. Absent: it was not reset. */
  lastReset: z.uuid().optional(),
  /** Absent: it was started by a version that had one user for all VMs. */
  user: launchUserSchema.optional(),
});
export type LaunchSpec = z.infer<typeof launchSpecSchema>;

/** Absolute paths of the disks that are files. */
export const imageFilesOf = ({ diskPaths, blockDevices = [] }: LaunchSpec): string[] =>
  Object.entries(diskPaths).flatMap(([disk, path]) => (blockDevices.includes(disk) ? [] : [path]));

/**
 * Every string of it that becomes a part of a command line is what it should be: whoever wrote the VM's description
 * cannot give QEMU an option that this program did not mean. @throws VM_DESCRIPTION_INVALID
 */
export function checkLaunchSpec(spec: LaunchSpec): void {
  const parsed = launchSpecSchema.safeParse(spec);
  const problems = parsed.success
    ? memoryDeviceProblems(spec.vm)
    : parsed.error.issues.map((issue) => `${issue.path.map(String).join(".")}: ${issue.message}`);
  if (problems.length === 0) return;
  throw GodwitError.of("VM_DESCRIPTION_INVALID", { source: "what QEMU is to be started with", problems });
}

/** Files of one VM's process, all in its run folder, which belongs to root: QEMU can change none of its entries. */
export interface RunPaths {
  folder: string;
  /** The agent's QMP socket. */
  qmp: string;
  /** A second one for people, when the agent is not there. */
  rescue: string;
  pidFile: string;
  /** QEMU's own messages. */
  log: string;
  serialSocket: string;
  serialLog: string;
  /** The port of QEMU's guest agent, for VMs that have one. */
  guestAgent: string;
  runtime: string;
  /** Credentials for migration streams, there only while QEMU reads them. */
  credentials: string;
}

/** What QEMU finds open when it starts, by file descriptor: `launch-qemu.pl` makes it in the run folder. */
export const runDescriptors = {
  qmp: 20,
  rescue: 21,
  serialSocket: 22,
  guestAgent: 23,
  serialLog: 24,
  tpm: 25,
  memory: 26,
} as const;

export function runPaths(runFolder: string, vmId: string): RunPaths {
  const folder = `${runFolder}/vms/${vmId}`;
  return {
    folder,
    qmp: `${folder}/qmp.sock`,
    rescue: `${folder}/rescue.sock`,
    pidFile: `${folder}/qemu.pid`,
    log: `${folder}/qemu.log`,
    serialSocket: `${folder}/serial.sock`,
    serialLog: `${folder}/serial.log`,
    guestAgent: `${folder}/guest-agent.sock`,
    runtime: `${folder}/runtime.json`,
    credentials: `${folder}/credentials`,
  };
}
