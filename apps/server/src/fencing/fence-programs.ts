/**
 * Fence programs: files of the server's machine, written by whoever runs the storage, which have a storage server take a host's access away and give it
 * back. One is run with a JSON object on its standard input; that it ends with 0 is all that counts. Two runs for the same host and datastore never
 * overlap, also where the server was killed under the first: each holds a lock, and ends by itself when its time is over.
 */
import { constants } from "node:fs";
import { access, lstat, mkdir } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { initiatorOf, type DatastoreSource, type HostFacts } from "@godwit/contract";
import { runBounded } from "@godwit/system";

export type FenceAction = "check" | "revoke" | "restore";

/** As the program reads it, with its action. */
export interface FenceOrder {
  datastore: { name: string } & DatastoreSource;
  host: {
    name: string;
    /** By which the server calls its agent. */
    agent: string;
    /** Those of its migration network. */
    migration: string[];
    /** All that its interfaces have, as it told them last, without their networks. */
    addresses: string[];
    /** By which its QEMU logs in to iSCSI targets. */
    initiator: string;
  };
}

export interface FenceProgramsOptions {
  /** Of the programs. */
  folder: string;
  /** Of the locks; made when it is needed. */
  runFolder: string;
  limitSeconds?: number;
}

const usualLimitSeconds = 30;
/** Of `flock`, when an earlier run has not ended: no code that a shell or `timeout` gives. */
const stillRuns = 249;
const environment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LANG: "C.UTF-8",
};

export class FencePrograms {
  readonly #options: FenceProgramsOptions;

  constructor(options: FenceProgramsOptions) {
    this.#options = options;
  }

  /** @returns why it did not succeed, the end of a sentence; null: it did */
  async run(program: string, action: FenceAction, order: FenceOrder): Promise<string | null> {
    const { folder, runFolder, limitSeconds = usualLimitSeconds } = this.#options;
    const problem = await problemOf(folder, program);
    if (problem !== null) return problem;
    await mkdir(runFolder, { recursive: true, mode: 0o700 });
    const lock = join(runFolder, `${order.datastore.name}@${order.host.name}`);
    const { code, signal, isLate, lastLine } = await runBounded(
      [
        ...["flock", "--no-fork", "--timeout", String(limitSeconds + 5)],
        ...["--conflict-exit-code", String(stillRuns), lock],
        ...["timeout", "--signal=KILL", String(limitSeconds), join(folder, program)],
      ],
      {
        input: `${JSON.stringify({ action, ...order })}\n`,
        limitMs: (2 * limitSeconds + 10) * 1000,
        env: { ...environment, HOME: process.env["HOME"] ?? "/" },
      },
    );
    if (code === 0) return null;
    if (code === stillRuns) return "an earlier run of it has not ended";
    if (isLate || signal === "SIGKILL")
      return `it did not end within ${String(limitSeconds)} s, and was ended`;
    const how = code === null ? `ended by ${signal ?? "itself"}` : `ended with ${String(code)}`;
    return `it ${how}${lastLine === "" ? "" : `: ${lastLine.replace(/\.$/, "")}`}`;
  }
}

/** What forbids to run it, the end of a sentence: nobody but root and the server's own user may be able to change it. */
async function problemOf(folder: string, program: string): Promise<string | null> {
  const path = join(folder, program);
  try {
    for (const [place, isFolder] of [
      [folder, true],
      [path, false],
    ] as const) {
      const found = await lstat(place);
      if (isFolder ? !found.isDirectory() : !found.isFile())
        return `${place} is no ${isFolder ? "folder" : "regular file"}`;
      if (found.uid !== 0 && found.uid !== process.geteuid?.())
        return `${place} belongs neither to root nor to the server's user`;
      if ((found.mode & 0o022) !== 0) return `${place} can be written to by others than its owner`;
    }
    await access(path, constants.X_OK);
    return null;
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return `there is no ${path}`;
    return code === "EACCES" ? `the server may not execute ${path}` : `${path} cannot be looked at: ${code}`;
  }
}

/** What a program has to know of a host. What the host tells may be anything: only addresses are passed on. Pure. */
export function fenceOrder(
  datastore: { name: string; source: DatastoreSource },
  { name, agentUrl, facts }: { name: string; agentUrl: string; facts: HostFacts | null },
): FenceOrder {
  const { address, also = [] } = facts?.migrationSettings ?? {};
  const agent = new URL(agentUrl).hostname.replace(/^\[(.*)\]$/, "$1");
  return {
    datastore: { name: datastore.name, ...datastore.source },
    host: {
      name,
      agent: isIP(agent) !== 0 || /^[A-Za-z0-9.-]+$/.test(agent) ? agent : "",
      migration: addressesIn([address ?? facts?.migration?.address ?? [], also].flat()),
      addresses: addressesIn((facts?.links ?? []).flatMap(({ addresses }) => addresses)),
      initiator: initiatorOf(name),
    },
  };
}

const addressesIn = (told: readonly string[]): string[] => [
  ...new Set(told.map((one) => one.replace(/\/.*$/, "")).filter((one) => isIP(one) !== 0)),
];
