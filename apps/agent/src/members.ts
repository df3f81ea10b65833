/**
 * Which hosts belong to the cluster, by the server's last word; kept on disk, so that an agent which cannot reach the
 * server goes on by it. Only members get a connection for a move, and only to members is one made. An agent that never
 * had a list, because its server is of an earlier version, takes every host with a certificate of the cluster, as that
 * version did.
 */
import { memberListSchema, type CertificateOf, type MemberList } from "@godwit/contract";
import { readFileOrNull, writeFileAtomic } from "@godwit/system";
import type { Logger } from "pino";
import { z } from "zod";
import { membersFile, type AgentConfig } from "./config.ts";

const fileSchema = memberListSchema.extend({ version: z.literal(1) });

export async function writeMembers(
  config: Pick<AgentConfig, "stateFolder">,
  list: MemberList,
): Promise<void> {
  await writeFileAtomic(membersFile(config), JSON.stringify({ version: 1, ...list }));
}

export class Members {
  readonly #config: Pick<AgentConfig, "stateFolder">;
  #list: MemberList | null;
  #onRemoved: (host: string) => void = () => undefined;
  #taking: Promise<unknown> = Promise.resolve();

  private constructor(config: Pick<AgentConfig, "stateFolder">, list: MemberList | null) {
    this.#config = config;
    this.#list = list;
  }

  /** As they were last; a file that cannot be read admits nobody until the server sends the list again. */
  static async read(config: Pick<AgentConfig, "stateFolder">, log: Logger): Promise<Members> {
    const text = await readFileOrNull(membersFile(config));
    if (text === null) {
      log.info("no list of the cluster's members yet: every host with a certificate of the cluster is taken");
      return new Members(config, null);
    }
    try {
      return new Members(config, memberListSchema.parse(fileSchema.parse(JSON.parse(text))));
    } catch (error) {
      log.error({ err: error }, "the list of the cluster's members cannot be read: no host is taken for one");
      return new Members(config, { generation: 0, hosts: [] });
    }
  }

  /** Whether a host is a member, by what its certificate carries, and has used no newer certificate. */
  has(host: string, { id, number }: CertificateOf): boolean {
    if (this.#list === null) return true;
    return this.#list.hosts.some(
      ({ name, id: memberId, certificate = 0 }) => name === host && memberId === id && number >= certificate,
    );
  }

  /** Called for each host that is no member any more, has joined again, or uses a newer certificate. */
  onRemoved(heard: (host: string) => void): void {
    this.#onRemoved = heard;
  }

  /** Takes a list that is newer than the own one; it counts once it is on disk. @returns the generation that counts now */
  async take(list: MemberList): Promise<number> {
    const taken = this.#taking.then(() => this.#takeNext(list));
    this.#taking = taken.catch(() => undefined);
    return await taken;
  }

  async #takeNext(list: MemberList): Promise<number> {
    const before = this.#list;
    if (before !== null && before.generation >= list.generation) return before.generation;
    // A member that was removed is refused even if the disk is full; only a restart would bring back the list before.
    this.#list = list;
    for (const { name, id, certificate: number = 0 } of before?.hosts ?? [])
      if (!this.has(name, { id, number })) this.#onRemoved(name);
    await writeMembers(this.#config, list).catch((error: unknown) => {
      this.#list = { ...list, generation: before?.generation ?? 0 }; // sent again, and written then
      throw error;
    });
    return list.generation;
  }
}
