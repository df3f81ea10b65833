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
import type { FencedHost } from "@godwit/store";
import { runBounded, sleep } from "@godwit/system";

export type FenceAction = "check" | "revoke" | "restore";

/** As the program reads it, with its action. */
export interface FenceOrder {
  datastore: { name: string } & DatastoreSource;
  host: FencedHost;
}

export interface FenceProgramsOptions {
  /** Of the programs. */
  folder: string;
  /** Of the locks; made when it is needed. */
  runFolder: string;
  limitSeconds?: number;
}

const usualLimitSeconds = 30;
const lockedAgainMs = 500;
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
    const once = () =>
      runBounded(
        [
          ...["flock", "--no-fork", "--nonblock", "--conflict-exit-code", String(stillRuns), lock],
          ...["timeout", "--signal=KILL", String(limitSeconds), join(folder, program)],
        ],
        {
          input: `${JSON.stringify({ action, ...order })}\n`,
          limitMs: (limitSeconds + 10) * 1000,
          env: { ...environment, HOME: process.env["HOME"] ?? "/" },
        },
      );
    // It is this program that waits: one that is killed leaves nothing that would run later.
    const latestMs = performance.now() + (limitSeconds + 5) * 1000;
    let end = await once();
    while (end.code === stillRuns && performance.now() < latestMs) {
      await sleep(lockedAgainMs);
      end = await once();
    }
    const { code, signal, isLate, lastLine } = end;
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

/** The host as it is now, with all addresses that it had when it was fenced before. Pure. */
export function withEarlier(now: FencedHost, before: FencedHost | undefined): FencedHost {
  if (before === undefined) return now;
  const known = [now.agent, ...now.migration];
  const addresses = addressesIn([...now.addresses, before.agent, ...before.migration, ...before.addresses]);
  return {
    ...now,
    addresses: addresses.filter((one) => !known.includes(one) || now.addresses.includes(one)),
  };
}

const addressesIn = (told: readonly string[]): string[] => [
  ...new Set(told.map((one) => one.replace(/\/.*$/, "")).filter((one) => isIP(one) !== 0)),
];
