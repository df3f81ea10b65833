/** The lines to all agents, one for each host that has joined. */
import { GodwitError, type Finding, type VmView } from "@godwit/contract";
import { isConfirmed } from "@godwit/placement";
import type { HostRow, Store } from "@godwit/store";
import type { Logger } from "pino";
import { HostLink, type LinkIdentity } from "./host-link.ts";
import { ReportIntake } from "./report-intake.ts";
import { readVmLease } from "./vm-lease.ts";

export class HostLinks {
  readonly #links = new Map<string, HostLink>();
  readonly #fingerprints = new Map<string, string>();
  readonly #identity: LinkIdentity;
  readonly #store: Store;
  readonly #intake: ReportIntake;
  readonly #log: Logger;

  constructor(identity: LinkIdentity, store: Store, log: Logger) {
    this.#identity = identity;
    this.#store = store;
    this.#intake = new ReportIntake(store, log);
    this.#log = log;
  }

  async start(): Promise<void> {
    for (const host of await this.#store.hosts.connections()) this.add(host);
  }

  add(host: Pick<HostRow, "name" | "agentUrl" | "certificateFingerprint">): void {
    const holdsLease = (vm: VmView) => this.#holdsLease(vm, host.name);
    const link = new HostLink(host, this.#identity, this.#store, this.#intake, holdsLease, this.#log);
    this.#links.set(host.name, link);
    this.#fingerprints.set(host.name, host.certificateFingerprint);
    link.start();
  }

  async remove(name: string): Promise<void> {
    const link = this.#links.get(name);
    this.#links.delete(name);
    this.#fingerprints.delete(name);
    this.#intake.forget(name);
    await link?.stop();
  }

  /** @throws HOST_UNKNOWN */
  of(name: string): HostLink {
    const link = this.#links.get(name);
    if (link === undefined)
      throw GodwitError.of("HOST_UNKNOWN", { host: name, known: [...this.#links.keys()].sort() });
    return link;
  }

  /** Whether this is still the line to a host of the cluster. */
  has(link: HostLink): boolean {
    return this.#links.get(link.name) === link;
  }

  isUp(name: string): boolean {
    return this.#links.get(name)?.isUp ?? false;
  }

  /** Of an agent that is not connected for its version. */
  versionAlarms(name: string): Finding[] {
    const link = this.#links.get(name);
    if (link === undefined || link.isUp) return [];
    return link.versionFindings.filter(({ severity }) => severity === "error");
  }

  /** Whether this is the certificate that the host joined with last. */
  mayConnect(name: string, fingerprint: string): boolean {
    return this.#fingerprints.get(name) === fingerprint;
  }

  /** Asked of others than the host that claims it; with the host that the VM was on away and nobody to ask, its word counts. */
  async #holdsLease(vm: VmView, claimant: string): Promise<boolean> {
    try {
      return isConfirmed(claimant, (await readVmLease(this.#store, this, vm, claimant)).lease);
    } catch (error) {
      this.#log.info({ err: error, vm: vm.name, host: claimant }, "a VM's lease could not be read");
      return GodwitError.is(error, "HOST_UNREACHABLE") && !this.isUp(vm.host);
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link.stop()));
  }
}
