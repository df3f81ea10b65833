/**
 * Keeps the hosts' datastores as the inventory defines them. With every report of a host, what it has by its agent's own
 * configuration is taken over, what it has otherwise than defined is told as its alarm, and it is told all definitions
 * again until it has them. So nothing need be remembered of what a host was told: a restart of either side, or a message
 * that was lost, is made good by the next report.
 */
import {
  finding,
  isSameSource,
  type DatastoreDefinition,
  type Finding,
  type HostFacts,
} from "@godwit/contract";
import { sourceOn, type DatastoreRow, type Store } from "@godwit/store";
import type { Logger } from "pino";
import type { ChapSecrets } from "../datastores/chap-secrets.ts";
import type { HostLink } from "./host-link.ts";
import { HostTelling } from "./host-telling.ts";
import { driftOf, knownTo, mustBeTold, sourceOf } from "../datastores/drift.ts";

const answerLimitMs = 8000;

export class DatastorePush {
  readonly #links: ReadonlyMap<string, HostLink>;
  readonly #store: Store;
  readonly #secrets: Pick<ChapSecrets, "open"> | null;
  readonly #telling: HostTelling;
  /** As they were read since their last change. */
  #rows: Promise<DatastoreRow[]> | null = null;
  /** As each host told them last. */
  readonly #facts = new Map<string, HostFacts>();
  /** Those of which the database knows what they have. */
  readonly #known = new Set<string>();

  constructor(
    links: ReadonlyMap<string, HostLink>,
    store: Store,
    log: Logger,
    secrets: Pick<ChapSecrets, "open"> | null,
  ) {
    this.#secrets = secrets;
    this.#links = links;
    this.#store = store;
    this.#telling = new HostTelling("datastores", (host) => this.#send(host), log);
  }

  /** A host tells what it is. @returns what an operator should know of its datastores */
  async heard(host: string, facts: HostFacts): Promise<Finding[]> {
    this.#facts.set(host, facts);
    const alarms = await this.#takeOver(host, facts);
    const desired = desiredOn(await this.#read(), host);
    if (mustBeTold(desired, facts)) this.#telling.heard(host);
    const drifts = driftOf(desired, facts);
    return [
      ...alarms,
      ...drifts.map(({ name, reason }) =>
        finding("DATASTORE_NOT_APPLIED", { datastore: name, host, reason }, "warning"),
      ),
    ];
  }

  /** The inventory is another one: tells the hosts that it concerns, and waits for their answers for a while. */
  async changed(limitMs: number): Promise<void> {
    this.#rows = null;
    const rows = await this.#read();
    const concerned = [...this.#facts].filter(([host, facts]) => mustBeTold(desiredOn(rows, host), facts));
    await this.#telling.tellAll(
      concerned.map(([host]) => host),
      limitMs,
    );
  }

  forget(host: string): void {
    this.#facts.delete(host);
    this.#known.delete(host);
  }

  async #send(host: string): Promise<void> {
    const link = this.#links.get(host);
    const facts = this.#facts.get(host);
    if (link?.isUp !== true || facts === undefined) return; // told when it reports again
    const datastores = desiredOn(await this.#read(), host);
    if (!mustBeTold(datastores, facts)) return;
    const known = knownTo(datastores, facts);
    const body = { datastores: await Promise.all(known.map((one) => this.#withSecret(one))) };
    await link.agent.call("datastoresPut", { body }, { timeoutMs: answerLimitMs });
    await link.reported();
  }

  /** One that is not known here, as after a restore, the host has itself. */
  async #withSecret(one: DatastoreDefinition): Promise<DatastoreDefinition> {
    if (one.source.kind !== "iscsi" || one.source.chap === undefined) return one;
    const chapSecret = (await this.#secrets?.open(one.name, one.source.chap.secretId)) ?? null;
    return chapSecret === null ? one : { ...one, chapSecret };
  }

  async #takeOver(host: string, facts: HostFacts): Promise<Finding[]> {
    const has = facts.datastores.flatMap(({ origin, ...one }) =>
      origin === undefined ? [] : [{ name: one.name, shared: one.shared, source: sourceOf(one), origin }],
    );
    // Of a host that is known only its own configuration counts, and that only while it is another one than defined.
    const desired = desiredOn(await this.#read(), host);
    const isNew = has.some(
      (one) => one.origin === "configuration" && !desired.some((wanted) => isSame(wanted, one)),
    );
    if (this.#known.has(host) && !isNew) return [];
    const { changed, left } = await this.#store.datastores.takeOver(host, has);
    this.#known.add(host);
    if (changed) this.#rows = null;
    return left.map(({ name, reason }) =>
      finding("DATASTORE_NOT_APPLIED", { datastore: name, host, reason }, "warning"),
    );
  }

  async #read(): Promise<DatastoreRow[]> {
    const reading = (this.#rows ??= this.#store.datastores.list());
    try {
      return await reading;
    } catch (error) {
      if (this.#rows === reading) this.#rows = null;
      throw error;
    }
  }
}

/** All that is defined for a host. */
const desiredOn = (rows: readonly DatastoreRow[], host: string): DatastoreDefinition[] =>
  rows.flatMap((row) => {
    const source = sourceOn(row, host);
    const on = row.reservations === true ? { reservations: true } : {};
    return source === null ? [] : [{ name: row.name, shared: row.shared, source, ...on }];
  });

const isSame = (a: DatastoreDefinition, b: DatastoreDefinition): boolean =>
  a.name === b.name && a.shared === b.shared && isSameSource(a.source, b.source);
