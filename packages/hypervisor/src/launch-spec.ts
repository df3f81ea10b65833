/** What a QEMU process is made from; kept beside it, so that an agent that starts anew knows what runs. */
import { acceleratorSchema, vmSchema } from "@godwit/contract";
import { z } from "zod";

export const launchSpecSchema = z.object({
  vm: vmSchema,
  accelerator: acceleratorSchema,
  /** Disk name to absolute path of its image. */
  diskPaths: z.record(z.string(), z.string()),
  kernelPath: z.string().nullable(),
  initrdPath: z.string().nullable(),
  taps: z.array(z.object({ interfaceName: z.string(), mac: z.string() })),
  /** A move's destination: it waits for its state on the network. */
  incoming: z.boolean(),
});
export type LaunchSpec = z.infer<typeof launchSpecSchema>;

/** Files of one VM's process, all in its run folder. */
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
}

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
  };
}
