/** What a lab is made of, and what is refused before anything is made. */
import { GodwitError, type CpuReport } from "@godwit/contract";
import { readLabFile } from "./lab-file.ts";
import { labIdPattern } from "./names.ts";
import { listNamespaces } from "./switch.ts";

export interface LabOptions {
  id: string;
  hosts: readonly string[];
  /** Of each host's migration link; default: as fast as the machine. */
  linkBitsPerSecond?: number | null;
  /** The QEMU of a host, by its name: a path, or the beginning of a version. Default: the newest of this machine. */
  qemu?: Readonly<Record<string, string>>;
  /** The CPU that a host passes for, by its name: a simulation. */
  cpus?: Readonly<Record<string, CpuReport>>;
  /** How long the hosts' certificates count, like `30s`. Default: as the server has it. */
  certificateLife?: string;
  /** Whether moves can be held at their pause points, by files in a host's `pauseFolder`. */
  pausePoints?: boolean;
  /** Whether the shared storage is a file system of its own, which can be frozen. */
  ownStorage?: boolean;
  /** Whether each host has a datastore `local` of its own beside the shared one. */
  localDatastore?: boolean;
  /** Whether hosts see that ordinary users may not handle page faults, as post-copy needs it. Default: as the machine has it. */
  forbidsUserfaultfd?: boolean;
  /** MiB of the disk under each host's state; default: the machine's own. */
  stateMib?: number | null;
  /** How to start the program itself: `[node, main.ts]`. */
  program: readonly string[];
  onStep?: (text: string) => void;
}

/** @throws NOT_ROOT, USAGE when the options are wrong or there is such a lab */
export async function checkOptions({ id, hosts }: LabOptions): Promise<void> {
  if (process.getuid?.() !== 0)
    throw GodwitError.of("NOT_ROOT", { what: "A lab makes network namespaces and" });
  const wrong = !labIdPattern.test(id)
    ? `A lab's id is 1 to 8 lower-case letters and digits; ${id} is not.`
    : hosts.length < 1 || hosts.length > 40
      ? "A lab has 1 to 40 hosts."
      : null;
  if (wrong !== null)
    throw GodwitError.of("USAGE", { what: wrong, hint: "godwit lab up --help shows an example." });
  if (await exists(id)) {
    throw GodwitError.of("USAGE", {
      what: `A lab ${id} exists already.`,
      hint: `Use it, end it with godwit lab down --id ${id}, or choose another --id.`,
    });
  }
}

async function exists(id: string): Promise<boolean> {
  const hasFile = await readLabFile(id).then(
    () => true,
    () => false,
  );
  return hasFile || (await listNamespaces(id)).length > 0;
}
