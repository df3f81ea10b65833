/**
 * Which datastores this host has: those that the inventory defines for it, kept on disk, so that an agent which cannot reach
 * the server goes on by them; and those of the agent's own configuration that the inventory never had. An entry of the
 * configuration counts until the inventory has taken it over, and never again after that: what is removed there
 * stays removed. A datastore from which a VM runs here stays as it is.
 */
import { realpath } from "node:fs/promises";
import {
  datastoreListSchema,
  hasFolders,
  hasLeases,
  isSameSource,
  nameSchema,
  sourceText,
  type DatastoreDefinition,
  type DatastoreList,
  type DatastoreRefusal,
} from "@godwit/contract";
import { readFileOrNull, writeFileAtomic } from "@godwit/system";
import type { Logger } from "pino";
import { z } from "zod";
import { datastoresFile, type AgentConfig } from "../config.ts";

type Config = Pick<AgentConfig, "stateFolder" | "datastores" | "datastoreFolders">;

export interface HostDatastore extends DatastoreDefinition {
  origin: "inventory" | "configuration";
}

const fileSchema = datastoreListSchema.extend({
  version: z.literal(1),
  /** Names that the inventory has ever had for this host. */
  taken: z.array(nameSchema),
});
type Kept = Pick<z.infer<typeof fileSchema>, "datastores" | "taken">;

export class HostDatastores {
  readonly #config: Config;
  #kept: Kept;
  #refused: readonly DatastoreRefusal[] = [];
  #onChange: () => void = () => undefined;
  #taking: Promise<unknown> = Promise.resolve();

  private constructor(config: Config, kept: Kept) {
    this.#config = config;
    this.#kept = kept;
  }

  /** Only those of the configuration. */
  static configured(config: Config): HostDatastores {
    return new HostDatastores(config, { datastores: [], taken: [] });
  }

  /** As they were last. Where that cannot be read, the configuration counts until the server sends them again. */
  static async read(config: Config, log?: Pick<Logger, "error">): Promise<HostDatastores> {
    const text = await readFileOrNull(datastoresFile(config));
    if (text === null) return HostDatastores.configured(config);
    const kept = fileSchema.safeParse(valueOf(text));
    if (kept.success) return new HostDatastores(config, kept.data);
    log?.error(
      { err: kept.error },
      "which datastores this host has cannot be read: the server sends them again",
    );
    return HostDatastores.configured(config);
  }

  /** In order of their names. */
  get all(): HostDatastore[] {
    const own = this.#config.datastores.filter(({ name }) => !this.#kept.taken.includes(name));
    return [
      ...this.#kept.datastores.map((one) => ({ ...one, origin: "inventory" as const })),
      ...own.map(({ name, path, shared }) => ({
        ...{ name, shared, source: { kind: "directory" as const, path } },
        origin: "configuration" as const,
      })),
    ].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  find(name: string): HostDatastore | undefined {
    return this.all.find((one) => one.name === name);
  }

  /** Names of those on which this host keeps its own lease. */
  get withLockspaces(): string[] {
    return this.all.flatMap(({ name, shared, source }) => (shared && hasLeases(source) ? [name] : []));
  }

  /** Of an iSCSI target with CHAP. */
  chapSecret(target: string): string | undefined {
    return this.all.find(({ source }) => source.kind === "iscsi" && source.target === target)?.chapSecret;
  }

  /** Names of those with VMs' leases on them. */
  get shared(): string[] {
    return this.all.flatMap(({ name, shared, source }) => (shared && hasFolders(source) ? [name] : []));
  }

  /** Those with VMs' folders on them. */
  get withFolders(): HostDatastore[] {
    return this.all.filter(({ source }) => hasFolders(source));
  }

  /** What of the inventory's last list was not applied. */
  get refused(): readonly DatastoreRefusal[] {
    return this.#refused;
  }

  /** Called after others count than before. */
  onChange(heard: () => void): void {
    this.#onChange = heard;
  }

  /**
   * Takes all that the inventory defines; it counts once it is on disk.
   * @param users which VMs have a process here that uses a datastore, by name
   * @returns what was left as it was, and why
   */
  async take(
    list: DatastoreList,
    users: (datastore: string) => readonly string[],
  ): Promise<readonly DatastoreRefusal[]> {
    const taken = this.#taking.then(() => this.#takeNext(list, users));
    this.#taking = taken.catch(() => undefined);
    return await taken;
  }

  async #takeNext(
    { datastores }: DatastoreList,
    users: (datastore: string) => readonly string[],
  ): Promise<readonly DatastoreRefusal[]> {
    const before = this.all;
    const refused: DatastoreRefusal[] = [];
    const next: DatastoreDefinition[] = [];
    for (const told of datastores) {
      const has = before.find(({ name }) => name === told.name);
      const wanted = withKnownSecret(told, has);
      const reason =
        has !== undefined && isSame(has, wanted)
          ? null
          : (inUse(users(wanted.name)) ?? (await notAllowed(wanted, this.#config)));
      if (reason !== null) refused.push({ name: wanted.name, reason });
      if (reason === null) next.push(wanted);
      else if (has?.origin === "inventory") next.push(definitionOf(has));
    }
    for (const has of before) {
      if (has.origin === "configuration" || datastores.some(({ name }) => name === has.name)) continue;
      const reason = inUse(users(has.name));
      if (reason === null) continue;
      refused.push({ name: has.name, reason });
      next.push(definitionOf(has));
    }
    const taken = [...new Set([...this.#kept.taken, ...next.map(({ name }) => name)])].sort();
    const kept = { datastores: next, taken };
    const isChanged = JSON.stringify(kept) !== JSON.stringify(this.#kept);
    if (isChanged)
      // It may have secrets.
      await writeFileAtomic(datastoresFile(this.#config), JSON.stringify({ version: 1, ...kept }), 0o600);
    const refusedBefore = this.#refused;
    this.#kept = kept;
    this.#refused = refused;
    if (isChanged || JSON.stringify(refusedBefore) !== JSON.stringify(refused)) this.#onChange();
    return refused;
  }
}

const definitionOf = ({ origin: _, ...definition }: HostDatastore): DatastoreDefinition => definition;

/** A server that does not know a secret, as after a restore, takes it from nobody. */
const withKnownSecret = (wanted: DatastoreDefinition, has: DatastoreDefinition | undefined) =>
  wanted.chapSecret !== undefined || has?.chapSecret === undefined || !isSame(wanted, has)
    ? wanted
    : { ...wanted, chapSecret: has.chapSecret };

const isSame = (a: DatastoreDefinition, b: DatastoreDefinition): boolean =>
  a.shared === b.shared && isSameSource(a.source, b.source);

const inUse = (vms: readonly string[]): string | null =>
  vms.length === 0
    ? null
    : `${vms.join(", ")} ${vms.length === 1 ? "runs" : "run"} from it on this host as it was`;

/**
 * Who may define datastores gets no file of this host by that: only folders that the host's administrator named, or that lie
 * where storage is mounted.
 */
async function notAllowed(
  { name, source }: DatastoreDefinition,
  { datastores, datastoreFolders }: Config,
): Promise<string | null> {
  if (source.kind !== "directory") return null; // in a folder of the agent's own
  const { path } = source;
  if (datastores.some((own) => own.name === name && own.path === path)) return null;
  const isInside = (real: string) => datastoreFolders.some((folder) => real.startsWith(`${folder}/`));
  const real = await realpath(path).catch(() => path); // what is not there yet is where it says
  if (isInside(path) && isInside(real)) return null;
  return `${sourceText(source)} lies in none of the folders that this host allows for datastores (${datastoreFolders.join(", ")}; datastoreFolders in its agent.yaml)`;
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // which is no list
  }
}
