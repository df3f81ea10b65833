/**
 * How long a small read of each datastore with files takes, past all caches of this host: `dd iflag=direct` of the file that marks it. One read
 * at a time of each, by a program of its own: storage that hangs holds up nothing else, and a read that does not end counts with its time so
 * far. Storage that is slow for all hosts says nothing of this one: the server, which knows the others, decides that.
 */
import { join } from "node:path";
import { GodwitError, hasFolders } from "@godwit/contract";
import { folderOf, identityFile } from "@godwit/storage";
import { run } from "@godwit/system";
import type { HostDatastores } from "../datastores/host-datastores.ts";
import { SourceAbsent, type HealthSource, type Symptom } from "./health-source.ts";

/** How the datastores are read. */
export interface StorageProbe {
  names: () => readonly string[];
  /** @returns how long the read itself took; null: it cannot be measured there */
  read: (name: string) => Promise<number | null>;
}

/** The middle of so many reads counts, and of no fewer than the least. */
const looked = { most: 5, least: 3 };
const limits = { moderateMs: 200, severeMs: 1000 };
/** A read that takes longer counts by itself. */
const hangsMs = 60_000;
/** Its program is ended then, where it can be, and the read counts as one of this length: several looks see one that hangs. */
const readLimitMs = 600_000;

interface Reads {
  lastMs: number[];
  /** When the read under way began; null: none is. */
  sinceMs: number | null;
}

export class StorageLatency implements HealthSource {
  readonly name = "storage-latency";
  readonly #probe: StorageProbe;
  readonly #reads = new Map<string, Reads>();

  constructor(probe: StorageProbe) {
    this.#probe = probe;
  }

  /** Judges the reads of before, and begins the next ones. */
  look(nowMs: number): Symptom[] {
    const names = this.#probe.names();
    for (const name of this.#reads.keys()) if (!names.includes(name)) this.#reads.delete(name);
    if (names.length === 0) throw new SourceAbsent("it has no datastore with files");
    return names.flatMap((name) => {
      const reads = this.#reads.get(name) ?? { lastMs: [], sinceMs: null };
      this.#reads.set(name, reads);
      const symptom = judge(name, reads, nowMs);
      if (reads.sinceMs === null) this.#begin(name, reads, nowMs);
      return symptom === null ? [] : [symptom];
    });
  }

  #begin(name: string, reads: Reads, nowMs: number): void {
    reads.sinceMs = nowMs;
    this.#probe
      .read(name)
      .catch(() => null)
      .then(
        (tookMs) => {
          reads.sinceMs = null;
          reads.lastMs = tookMs === null ? [] : [...reads.lastMs, tookMs].slice(-looked.most);
        },
        () => undefined,
      );
  }
}

function judge(name: string, { lastMs, sinceMs }: Reads, nowMs: number): Symptom | null {
  const pendingMs = sinceMs === null ? 0 : nowMs - sinceMs;
  const hangs = pendingMs >= limits.severeMs;
  // Of a read that hangs each look is as much evidence as a read of its own would be.
  const took = (hangs ? [...lastMs.slice(1 - looked.most), pendingMs] : lastMs).toSorted((a, b) => a - b);
  const middle = took[Math.floor(took.length / 2)] ?? 0;
  const component = `datastore ${name}`;
  if (hangs && pendingMs >= hangsMs)
    return { component, state: "severe", evidence: `a read of it has not ended for ${seconds(pendingMs)}` };
  if (took.length < looked.least || middle < limits.moderateMs) return null;
  return {
    ...{ component, state: middle >= limits.severeMs ? "severe" : "moderate" },
    evidence: `a small read of it takes ${seconds(middle)} (the middle of ${String(took.length)})`,
  };
}

const seconds = (ms: number): string => (ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${ms.toFixed(0)} ms`);

/** Reads the datastores of this host. */
export function readsDatastores(datastores: Pick<HostDatastores, "all">, mountsFolder: string): StorageProbe {
  const withFolders = () =>
    datastores.all.flatMap(({ name, source }) =>
      hasFolders(source) ? [{ name, folder: folderOf(source, join(mountsFolder, name)) }] : [],
    );
  return {
    names: () => withFolders().map(({ name }) => name),
    read: async (name) => {
      const found = withFolders().find((one) => one.name === name);
      return found === undefined ? null : await directReadMs(join(found.folder, identityFile));
    },
  };
}

/** Null: there is no such file, or its file system reads through the cache only. A read that does not end counts with its time until then. */
export async function directReadMs(file: string, limitMs = readLimitMs): Promise<number | null> {
  const atMs = performance.now();
  try {
    const { stderr } = await run(
      "dd",
      [`if=${file}`, "of=/dev/null", "bs=4096", "count=1", "iflag=direct,nofollow,nonblock"],
      { what: "reading a datastore", timeoutMs: limitMs, env: { LC_ALL: "C" } },
    );
    // Its own figure: how long starting a program takes is no matter of the storage.
    const took = /copied, ([\d.e+-]+) s\b/.exec(stderr)?.[1];
    return took === undefined ? null : Number(took) * 1000;
  } catch (error) {
    const tookMs = performance.now() - atMs;
    // Also of storage that gives up by itself after a while, as a soft NFS mount does.
    if (GodwitError.is(error)) return tookMs >= Math.min(limitMs, hangsMs) ? tookMs : null;
    throw error;
  }
}
