/**
 * This host's datastores: what they are, and whether they can be used. Each is looked at by itself and for a limited
 * time: one whose storage hangs is told as unavailable, is not asked again until it has answered, and holds up nothing else.
 */
import {
  GodwitError,
  sourceText,
  type DatastoreFacts,
  type DatastoreId,
  type DatastoreLoad,
  type DatastoreSource,
} from "@godwit/contract";
import { LunStore } from "@godwit/storage";
import type { Lockspaces } from "../leases/lockspaces.ts";
import { reasonOf } from "../reason.ts";
import type { Environment } from "../vms/environment.ts";
import type { HostDatastores } from "../datastores/host-datastores.ts";
import type { Reservations } from "../reservations/reservations.ts";

const answerLimitMs = 3000;

type Space = NonNullable<DatastoreLoad["space"]>;
interface Look {
  /** Null: it has no files. */
  space: Space | null;
  latencyMs: number;
}

export interface DatastoreSources {
  datastores: Pick<HostDatastores, "all">;
  environment: Pick<Environment, "datastore" | "blockStore">;
  lockspaces: Pick<Lockspaces, "leasesOf">;
  reservations?: Pick<Reservations, "stateOf">;
}

export class Datastores {
  readonly #sources: DatastoreSources;
  /** As they were read last, by name and place: storage that is away for a while is still the same. */
  readonly #ids = new Map<string, DatastoreId>();
  /** Under way, by datastore. */
  readonly #looks = new Map<string, Promise<Look>>();

  constructor(sources: DatastoreSources) {
    this.#sources = sources;
  }

  async facts(): Promise<DatastoreFacts[]> {
    return await Promise.all(
      this.#sources.datastores.all.map(async ({ name, source, shared, origin, reservations }) => {
        await this.#lookInTime(name).catch(() => undefined);
        const id = this.#ids.get(keyOf({ name, source })) ?? null;
        const on = reservations === true ? { reservations } : {};
        return { name, id, path: sourceText(source), shared, source, origin, ...on };
      }),
    );
  }

  async load(): Promise<DatastoreLoad[]> {
    return await Promise.all(
      this.#sources.datastores.all.map(async ({ name }) => {
        const { lockspaces, reservations } = this.#sources;
        const seen = reservations?.stateOf(name);
        const leases = lockspaces.leasesOf(name);
        const ofLun = seen === undefined ? {} : { reservations: seen };
        return await this.#lookInTime(name).then(
          ({ space, latencyMs }) => ({
            ...{ name, space, reason: null, latencyMs, leases, ...ofLun },
            ...(space === null ? {} : { readOnly: false }),
          }),
          (error: unknown) => ({
            ...{ name, space: null, reason: reasonOf(error), leases, ...ofLun },
            ...(isReadOnly(error) ? { readOnly: true } : {}),
          }),
        );
      }),
    );
  }

  async #lookInTime(name: string): Promise<Look> {
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

  async #look(name: string): Promise<Look> {
    try {
      const fromMs = performance.now();
      const looked = this.#sources.datastores.all.find((one) => one.name === name);
      const { environment } = this.#sources;
      const datastore = (await environment.blockStore(name)) ?? (await environment.datastore(name));
      if (looked !== undefined) this.#ids.set(keyOf(looked), datastore.id);
      const space = datastore instanceof LunStore ? null : await datastore.space();
      return { space, latencyMs: Math.round((performance.now() - fromMs) * 10) / 10 };
    } finally {
      this.#looks.delete(name);
    }
  }
}

const keyOf = ({ name, source }: { name: string; source: DatastoreSource }): string =>
  `${name} ${source.kind} ${sourceText(source)}`;

/** By the system's own word, where that is why. */
const isReadOnly = (error: unknown): boolean =>
  GodwitError.is(error) && (error.cause as NodeJS.ErrnoException | undefined)?.code === "EROFS";
