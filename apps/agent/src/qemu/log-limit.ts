/**
 * Bounds what guests and QEMUs can write on this host: of each VM's console log and of QEMU's own messages the newest
 * `keptBytes` stay, and the space of older ones is given back. A log keeps its size, so that positions in it stay
 * what they are; what was given back reads as zeros.
 */
import { stat } from "node:fs/promises";
import type { QemuProcess } from "@godwit/hypervisor";
import { run } from "@godwit/system";
import type { Logger } from "pino";
import { RepeatedLook } from "../repeated-look.ts";

export const keptBytes = 4 * 1024 * 1024;
/** A guest writes some megabytes in this time at most: each byte of a serial port is an exit to QEMU. */
const everyMs = 5000;
/** `st_blocks` counts units of this size, whatever the file system's blocks are (stat(2)). */
const blockBytes = 512;

/** Gives the space of all but the newest `keptBytes` back once twice as much is taken. @throws PROGRAM_FAILED */
export async function limitLog(path: string): Promise<void> {
  const { size, blocks } = await stat(path);
  if (blocks * blockBytes <= 2 * keptBytes) return;
  const length = String(size - keptBytes);
  await run("fallocate", ["--punch-hole", "--offset", "0", "--length", length, path], {
    what: `giving back the space of ${path}`,
  });
}

export class LogLimit {
  readonly #present: () => readonly QemuProcess[];
  readonly #log: Logger;

  /** @param present the processes whose logs are looked at */
  constructor(present: () => readonly QemuProcess[], log: Logger) {
    this.#present = present;
    this.#log = log;
  }

  repeated(): RepeatedLook {
    return new RepeatedLook(
      everyMs,
      () => this.#look(),
      (error) => {
        this.#log.warn({ err: error }, "the logs of this host's VMs could not be limited");
      },
    );
  }

  async #look(): Promise<void> {
    for (const { paths, spec } of this.#present()) {
      for (const path of [paths.serialLog, paths.log]) {
        await limitLog(path).catch((error: unknown) => {
          if ((error as NodeJS.ErrnoException).code === "ENOENT") return; // its process has just ended
          this.#log.warn({ err: error, vm: spec.vm.name }, "a VM's log could not be limited");
        });
      }
    }
  }
}
