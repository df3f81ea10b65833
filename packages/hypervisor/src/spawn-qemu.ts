/** Starts QEMU's processes so that they outlive the agent: in a unit of systemd's of their own, or in their own session. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import type { VmId } from "@godwit/contract";
import {
  limitProperties,
  openChecked,
  outlivingProperties,
  run,
  systemdRuns,
  vmUnit,
  type UnitLimits,
} from "@godwit/system";

/**
 * @param path of the file for its messages
 * @returns a function that tells whether the process has ended again
 * @throws PROGRAM_FAILED, FILE_UNTRUSTED
 */
export async function spawnQemu(
  vm: { id: VmId; name: string },
  argv: readonly string[],
  path: string,
  limits: UnitLimits,
): Promise<() => boolean | Promise<boolean>> {
  if (systemdRuns()) {
    const unit = vmUnit(vm.id);
    await run(
      "systemd-run",
      [
        ...[`--unit=${unit}`, "--collect", "--service-type=exec", `--description=Godwit VM ${vm.name}`],
        ...[
          ...[`StandardOutput=append:${path}`, `StandardError=append:${path}`],
          ...[...outlivingProperties, ...limitProperties(limits)],
        ].map((property) => `--property=${property}`),
        ...["--", ...argv],
      ],
      { what: `starting VM ${vm.name}` },
    );
    return async () => {
      const words = { what: `looking at unit ${unit}`, okCodes: [0, 3, 4] };
      return (await run("systemctl", ["is-active", "--quiet", unit], words)).exitCode !== 0;
    };
  }
  const { O_WRONLY, O_CREAT, O_APPEND } = constants;
  const log = await openChecked(path, O_WRONLY | O_CREAT | O_APPEND);
  try {
    const [program = "", ...args] = argv;
    const child = spawn(program, args, { detached: true, stdio: ["ignore", log.fd, log.fd], cwd: "/" });
    await once(child, "spawn");
    child.unref();
    return () => child.exitCode !== null || child.signalCode !== null;
  } finally {
    await log.close();
  }
}
