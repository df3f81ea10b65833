/**
 * This host's datastores: what they are, and whether they can be used. Each is looked at by itself and for a limited
 * time: one whose storage hangs is told as unavailable, is not asked again until it has answered, and holds up nothing else.
 */
import type { DatastoreFacts, DatastoreId, DatastoreLoad } from "@godwit/contract";
import type { DatastoreConfig } from "@godwit/storage";
import type { Lockspaces } from "../leases/lockspaces.ts";
import { reasonOf } from "../reason.ts";
import type { Environment } from "../vms/environment.ts";

const answerLimitMs = 3000;

type Space = NonNullable<DatastoreLoad["space"]>;

export interface DatastoreSources {
  configs: readonly DatastoreConfig[];
  environment: Pick<Environment, "datastore">;
  lockspaces: Pick<Lockspaces, "leasesOf">;
}

export class Datastores {
  readonly #sources: DatastoreSources;
  /** As they were read last: storage that is away for a while is still the same. */
  readonly #ids = new Map<string, DatastoreId>();
  /** Under way, by datastore. */
  readonly #looks = new Map<string, Promise<Space>>();

  constructor(sources: DatastoreSources) {
    this.#sources = sources;
  }

  async facts(): Promise<DatastoreFacts[]> {
    return await Promise.all(
      this.#sources.configs.map(async ({ name, path, shared }) => {
        await this.#lookInTime(name).catch(() => undefined);
        return { name, id: this.#ids.get(name) ?? null, path, shared };
      }),
    );
  }

  async load(): Promise<DatastoreLoad[]> {
    return await Promise.all(
      this.#sources.configs.map(async ({ name }) => {
        const leases = this.#sources.lockspaces.leasesOf(name);
        return await this.#lookInTime(name).then(
          (space) => ({ name, space, reason: null, leases }),
          (error: unknown) => ({ name, space: null, reason: reasonOf(error), leases }),
        );
      }),
    );
  }

  async #lookInTime(name: string): Promise<Space> {
    const look = this.#looks.get(name) ?? this.#look(name);
    this.#looks.set(name, look);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(new Error(`it did not answer within ${String(answerLimitMs / 1000)} s`));
    }, answerLimitMs);
    return await Promise.race([look, late.promise]).finally(() => {
      clearTimeout(timer);
    });
  }

  async #look(name: string): Promise<Space> {
    try {
      const datastore = await this.#sources.environment.datastore(name);
      this.#ids.set(name, datastore.id);
      return await datastore.space();
    } finally {
      this.#looks.delete(name);
    }
  }
}
