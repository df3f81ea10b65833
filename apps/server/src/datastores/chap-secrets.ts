/**
 * CHAP secrets of iSCSI targets: encrypted in the database, opened only to be sent to the hosts that have the datastore. In the
 * datastore's source an id stands for a secret, which tells nothing of it, and is another with each.
 */
import { randomBytes } from "node:crypto";
import { GodwitError, type DatastoreSource, type NewDatastore } from "@godwit/contract";
import type { SealedSecret, Store } from "@godwit/store";
import type { Seal } from "../power/sealed.ts";

export class ChapSecrets {
  readonly #store: Store;
  readonly #seal: Seal;

  constructor(store: Store, seal: Seal) {
    this.#store = store;
    this.#seal = seal;
  }

  /**
   * What is stored of a definition: the secret sealed, beside it.
   * @throws DATASTORE_EXISTS where the datastore has another name or secret for its target
   */
  async seal({
    name,
    source: given,
  }: NewDatastore): Promise<{ source: DatastoreSource; secret?: SealedSecret }> {
    if (given.kind !== "iscsi" || given.chap === undefined) return { source: given as DatastoreSource };
    const { chap, ...source } = given;
    const has = (await this.#store.datastores.list()).find((row) => row.name === name)?.source;
    if (has === undefined) {
      const id = randomBytes(16).toString("hex");
      const sealed = this.#seal.close(chap.secret, purposeOf(name, id));
      return { source: { ...source, chap: { user: chap.user, secretId: id } }, secret: { id, sealed } };
    }
    // For further hosts of one that there is.
    const known = has.kind === "iscsi" ? has.chap : undefined;
    if (known?.user !== chap.user || (await this.open(name, known.secretId)) !== chap.secret)
      throw GodwitError.of("DATASTORE_EXISTS", {
        datastore: name,
        reason: "it has another CHAP name or secret",
      });
    return { source: { ...source, chap: known } };
  }

  /** Null: it is not known here, or was sealed with another key. */
  async open(datastore: string, id: string): Promise<string | null> {
    const sealed = await this.#store.datastores.secret(datastore, id);
    return sealed === null ? null : this.#seal.open(sealed, purposeOf(datastore, id));
  }
}

const purposeOf = (datastore: string, id: string): string => `chap:${datastore}:${id}`;
