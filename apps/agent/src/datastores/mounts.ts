/**
 * What this host mounts for its datastores: in a folder of its own, in which nobody else mounts anything. A datastore that
 * is to be used is mounted when it is not; what no datastore needs any more is unmounted when nothing on it is open.
 */
import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, hasFolders, type DatastoreSource, type FolderSource } from "@godwit/contract";
import { folderOf, mountOf, type Mount } from "@godwit/storage";
import { mounted, mountFileSystem, unmountFileSystem, type Mounted } from "@godwit/system";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import { reasonOf } from "../reason.ts";
import { RepeatedLook } from "../repeated-look.ts";

interface Named {
  name: string;
  source: DatastoreSource;
}

interface Failure {
  atMs: number;
  reason: string;
}

const limitMs = 30_000;
/** After an attempt that failed. */
const againAfterMs = 10_000;
const tidyEveryMs = 15_000;
/** As the kernel names what was mounted by another name. */
const typeNames: Readonly<Record<string, string>> = { nfs4: "nfs" };

export class Mounts {
  readonly #folder: string;
  readonly #host: string;
  readonly #log: Pick<Logger, "info" | "warn"> | undefined;
  /** Under way, by datastore. */
  readonly #attempts = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, Failure>();

  constructor(
    { mountsFolder, name }: Pick<AgentConfig, "mountsFolder" | "name">,
    log?: Pick<Logger, "info" | "warn">,
  ) {
    this.#folder = mountsFolder;
    this.#host = name;
    this.#log = log;
  }

  /** Where a datastore's files are on this host: mounted first where it has to be. @throws DATASTORE_UNAVAILABLE */
  async folderOf(datastore: { name: string; source: FolderSource }): Promise<string> {
    const { name, source } = datastore;
    try {
      await this.#ensure(datastore);
      return folderOf(source, join(this.#folder, name));
    } catch (error) {
      const details = { datastore: name, host: this.#host, reason: (error as Error).message };
      throw GodwitError.of("DATASTORE_UNAVAILABLE", details, { cause: error });
    }
  }

  /** @throws Error with the reason, the end of a sentence */
  async #ensure({ name, source }: { name: string; source: FolderSource }): Promise<void> {
    const mount = mountOf(source);
    if (mount === null) return;
    const where = join(this.#folder, name);
    const there = last(await mounted(), where);
    if (there !== undefined) {
      if (isSame(there, mount)) return;
      throw new Error(`${there.what} is mounted at ${where}, and not ${mount.what}`);
    }
    const failure = this.#failures.get(name);
    if (failure !== undefined && performance.now() - failure.atMs < againAfterMs)
      throw new Error(failure.reason);
    const attempt = this.#attempts.get(name) ?? this.#mount(name, mount, where);
    this.#attempts.set(name, attempt);
    await attempt.finally(() => this.#attempts.delete(name));
  }

  async #mount(name: string, mount: Mount, where: string): Promise<void> {
    try {
      await mkdir(where, { recursive: true });
      await mountFileSystem({ ...mount, where }, mount.options, limitMs);
      this.#failures.delete(name);
      this.#log?.info({ datastore: name, what: mount.what }, "a datastore was mounted");
    } catch (error) {
      const reason = `${mount.what} cannot be mounted: ${mountReason(error)}`;
      this.#failures.set(name, { atMs: performance.now(), reason });
      throw new Error(reason, { cause: error });
    }
  }

  /** @param datastores those of the host, now. Unmounts what none of them needs; what is still in use stays until the next time. */
  async tidy(datastores: () => readonly Named[]): Promise<void> {
    for (const there of await mounted()) {
      if (!there.where.startsWith(`${this.#folder}/`)) continue;
      // As they are now: one may have been defined again meanwhile.
      const user = datastores().find(({ name }) => there.where === join(this.#folder, name));
      const mount = user !== undefined && hasFolders(user.source) ? mountOf(user.source) : null;
      if (mount !== null && isSame(there, mount)) continue;
      try {
        await unmountFileSystem(there.where, limitMs);
        await rmdir(there.where);
        this.#log?.info({ what: there.what, where: there.where }, "a datastore was unmounted");
      } catch (error) {
        this.#log?.warn(
          { err: error, where: there.where },
          "what no datastore needs could not be unmounted yet",
        );
      }
    }
  }

  /** @param datastores those of the host, now */
  repeated(datastores: () => readonly Named[]): RepeatedLook {
    return new RepeatedLook(
      tidyEveryMs,
      () => this.tidy(datastores),
      (error) => {
        this.#log?.warn({ err: error }, "what is mounted could not be looked at");
      },
    );
  }
}

const last = (all: readonly Mounted[], where: string): Mounted | undefined =>
  all.findLast((one) => one.where === where);

const isSame = (there: Mounted, { type, what }: Mount): boolean =>
  (typeNames[there.type] ?? there.type) === type && there.what === what;

/** What `mount` says, in words that name the remedy where that is known. */
function mountReason(error: unknown): string {
  if (GodwitError.is(error, "PROGRAM_MISSING")) return reasonOf(error);
  const said = GodwitError.is(error, "PROGRAM_FAILED")
    ? String(error.problem.details.output)
    : reasonOf(error);
  if (/unknown filesystem type|need a \/sbin\/mount|bad option/.test(said))
    return "this host has no mount.nfs (apt install nfs-common)";
  if (said.includes("No such device")) return "this host's kernel has no NFS client (modprobe nfs)";
  return said
    .replace(/^.*?mount(?:\.nfs4?)?: /s, "")
    .replace(/\.$/, "")
    .trim();
}
