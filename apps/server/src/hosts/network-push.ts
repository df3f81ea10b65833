/**
 * Keeps the hosts' switches and port groups as the inventory defines them. With every report of a host, what it has otherwise
 * than defined is told as its alarm, and it is told all definitions again until it has them: a restart of either side, or a
 * message that was lost, is made good by the next report. What an inventory before this one defined is taken over once.
 */
import { finding, type Finding, type HostFacts, type NetworkList } from "@godwit/contract";
import type { Store } from "@godwit/store";
import type { Logger } from "pino";
import { mustBeToldNetworks, networkDrift } from "../networks/drift.ts";
import type { FactsOfHosts } from "../networks/underlay.ts";
import { networksOn, type NetworksOfInventory } from "../networks/network-views.ts";
import type { HostLink } from "./host-link.ts";
import { HostTelling } from "./host-telling.ts";

const answerLimitMs = 8000;

export class NetworkPush {
  readonly #links: ReadonlyMap<string, HostLink>;
  readonly #store: Store;
  readonly #telling: HostTelling;
  /** As they were read since their last change; hosts as the inventory knew them then, also those that are down. */
  #rows: Promise<NetworksOfInventory & { hosts: FactsOfHosts }> | null = null;
  /** As each host told them since the server started. */
  readonly #facts = new Map<string, HostFacts>();
  /** Those of which the database knows what they were told. */
  readonly #known = new Set<string>();

  constructor(links: ReadonlyMap<string, HostLink>, store: Store, log: Logger) {
    this.#links = links;
    this.#store = store;
    this.#telling = new HostTelling("networks", (host) => this.#send(host), log);
  }

  /** A host tells what it is. @returns what an operator should know of its networks */
  async heard(host: string, facts: HostFacts): Promise<Finding[]> {
    this.#facts.set(host, facts);
    await this.#takeOver(host, facts);
    const desired = await this.#desiredOn(host);
    if (mustBeToldNetworks(desired, facts)) this.#telling.heard(host);
    return networkDrift(desired, facts).map(({ kind, name, reason }) =>
      kind === "switch"
        ? finding("SWITCH_NOT_APPLIED", { switch: name, host, reason }, "warning")
        : finding("NETWORK_NOT_APPLIED", { network: name, host, reason }, "warning"),
    );
  }

  /** The inventory is another one: tells the hosts that it concerns, and waits for their answers for a while. */
  async changed(limitMs: number): Promise<void> {
    this.#rows = null;
    const rows = await this.#read();
    const all = this.#allFacts(rows.hosts);
    const concerned = [...this.#facts].filter(([host, facts]) =>
      mustBeToldNetworks(networksOn(rows, host, all), facts),
    );
    await this.#telling.tellAll(
      concerned.map(([host]) => host),
      limitMs,
    );
  }

  forget(host: string): void {
    this.#facts.delete(host);
    this.#known.delete(host);
    this.#rows = null; // what was defined for it by name is gone with it
  }

  async #send(host: string): Promise<void> {
    const link = this.#links.get(host);
    const facts = this.#facts.get(host);
    if (link?.isUp !== true || facts === undefined) return; // told when it reports again
    const body = await this.#desiredOn(host);
    if (!mustBeToldNetworks(body, facts)) return;
    await link.agent.call("networksPut", { body }, { timeoutMs: answerLimitMs });
    await link.reported();
  }

  async #takeOver(host: string, { switches, portGroups }: HostFacts): Promise<void> {
    if (this.#known.has(host) || switches === undefined) return;
    const networks = portGroups.flatMap(({ definition }) => definition ?? []);
    if (await this.#store.networks.takeOver(host, { switches, networks })) this.#rows = null;
    this.#known.add(host);
  }

  async #desiredOn(host: string): Promise<NetworkList> {
    const rows = await this.#read();
    return networksOn(rows, host, this.#allFacts(rows.hosts));
  }

  /** A host that is down stays a peer of the others: with what it told last. */
  #allFacts(read: FactsOfHosts): FactsOfHosts {
    return new Map([...read, ...this.#facts]);
  }

  async #read(): Promise<NetworksOfInventory & { hosts: FactsOfHosts }> {
    const reading = (this.#rows ??= Promise.all([
      this.#store.switches.list(),
      this.#store.networks.list(),
      this.#store.hosts.list(),
    ]).then(([switches, networks, hosts]) => ({
      ...{ switches, networks, hosts: new Map(hosts.map(({ name, facts }) => [name, facts])) },
    })));
    try {
      return await reading;
    } catch (error) {
      if (this.#rows === reading) this.#rows = null;
      throw error;
    }
  }
}
