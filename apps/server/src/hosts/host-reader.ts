/**
 * A host's agent as it is asked: its calls, and its two reports read now, also from an agent of the version before this
 * one. What it answers is the host's by the certificate of the connection, whatever name it carries.
 */
import { Client, hostAnswers, type ClientOptions } from "@godwit/client";
import {
  agentOperations,
  GodwitError,
  serverGenerationHeaders,
  silentHello,
  type Finding,
  type HostFacts,
  type HostLoad,
} from "@godwit/contract";
import { requireCommonVersion, versionFindings, type HostReport } from "@godwit/requirements";
import type { Store } from "@godwit/store";
import { ownHello } from "@godwit/system";
import type { Logger } from "pino";
import { linkTls, type LinkedHost, type ShownIdentity } from "./link-identity.ts";
import { reportOfVersion1, version1Operations } from "./version-1.ts";

export type SeenLoad = (load: HostLoad) => HostLoad;

const reportLimitMs = 8000;

export class HostReader {
  readonly agent: Client<typeof agentOperations>;
  /** For what an agent of the version before this one calls otherwise. */
  readonly #version1: Client<typeof version1Operations>;
  readonly #host: LinkedHost;
  readonly #log: Logger;
  readonly #seen: SeenLoad;

  /**
   * @param seen what a host tells that it does, as the server has it
   * @param onConnect called when a new connection to the agent stands, before anything is asked over it
   */
  constructor(
    host: LinkedHost,
    identity: ShownIdentity,
    generation: Store["generation"],
    log: Logger,
    seen: SeenLoad = (load) => load,
    onConnect: () => void = () => undefined,
  ) {
    this.#seen = seen;
    this.#host = host;
    this.#log = log;
    const options: ClientOptions = {
      baseUrl: host.agentUrl,
      hello: ownHello,
      headers: () => serverGenerationHeaders(generation.current),
      limits: hostAnswers,
      tls: linkTls(host, identity),
      onConnect,
    };
    this.agent = new Client(agentOperations, options);
    this.#version1 = new Client(version1Operations, options);
  }

  /** Shows another certificate of the server from now on. */
  show(identity: ShownIdentity): void {
    for (const client of [this.agent, this.#version1]) client.renew(linkTls(this.#host, identity));
  }

  async close(): Promise<void> {
    await Promise.all([this.agent.close(), this.#version1.close()]);
  }

  /** What the agent's version means for it; nothing, while it is the server's or not known. */
  get versionFindings(): Finding[] {
    const hello = this.agent.peer;
    return hello === null ? [] : versionFindings(this.#host.name, hello, ownHello);
  }

  /** @throws VERSION_UNSUPPORTED */
  checkVersion(): void {
    const { peer } = this.agent;
    if (peer !== null) requireCommonVersion(this.#host.name, peer, ownHello);
  }

  /** What the host is, read now. @throws HOST_UNREACHABLE, VERSION_UNSUPPORTED */
  async facts(): Promise<HostFacts> {
    const facts = () => this.agent.call("facts", {}, { timeoutMs: reportLimitMs });
    return await this.#read(facts, (report) => report.facts);
  }

  /** What the host does, read now. @throws HOST_UNREACHABLE, VERSION_UNSUPPORTED */
  async load(): Promise<HostLoad> {
    const load = () => this.agent.call("load", {}, { timeoutMs: reportLimitMs });
    return this.#seen(await this.#read(load, (report) => report.load));
  }

  /** Whether the agent answers now, without a look at storage or at a QEMU, and in a version that is understood. */
  async answers(limitMs: number): Promise<boolean> {
    try {
      await this.agent.call("certificatesShow", {}, { timeoutMs: limitMs });
      this.checkVersion();
      return true;
    } catch {
      return false;
    }
  }

  /** An error of a call as one about this host. */
  unreachable(error: unknown): unknown {
    if (!GodwitError.is(error, "CONNECTION_FAILED")) return error;
    const { name: host, agentUrl: url } = this.#host;
    const reason = String(error.problem.details.reason);
    return GodwitError.of("HOST_UNREACHABLE", { host, url, reason }, { cause: error });
  }

  /** @param earlier the same part of the report of an agent of the version before this one */
  async #read<Part extends { name: string }>(
    read: () => Promise<Part>,
    earlier: (report: HostReport) => Part,
  ): Promise<Part> {
    const part = await this.#readAs(read, earlier);
    const { name } = this.#host;
    if (part.name === name) return part;
    this.#log.warn({ claimed: part.name }, "the host's report carries another host's name");
    return { ...part, name };
  }

  async #readAs<Part>(read: () => Promise<Part>, earlier: (report: HostReport) => Part): Promise<Part> {
    try {
      const part = await read();
      this.checkVersion();
      return part;
    } catch (error) {
      this.checkVersion();
      const isEarlier = this.agent.peer?.protocol.newest === silentHello.protocol.newest;
      if (!GodwitError.is(error, "ANSWER_NOT_UNDERSTOOD") || !isEarlier) throw this.unreachable(error);
    }
    try {
      return earlier(reportOfVersion1(await this.#version1.call("report", {}, { timeoutMs: reportLimitMs })));
    } catch (error) {
      throw this.unreachable(error);
    }
  }
}
