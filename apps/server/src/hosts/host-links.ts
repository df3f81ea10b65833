/** The lines to all agents, one for each host that has joined. */
import { GodwitError, type Finding, type VmView } from "@godwit/contract";
import { isConfirmed } from "@godwit/placement";
import type { HostRow, Store } from "@godwit/store";
import type { Logger } from "pino";
import { HostLink, type LinkIdentity } from "./host-link.ts";
import { PathTrials } from "./path-trials.ts";
import { MemberPush } from "./member-push.ts";
import { ReportIntake } from "./report-intake.ts";
import { readVmLease } from "./vm-lease.ts";

/** An agent renews when a third of its certificate's life is left; with less than this an operator is told. */
const lateShare = 0.25;

type LinkedHost = Pick<HostRow, "name" | "agentUrl" | "memberId" | "certificateEndsAt">;

export class HostLinks {
  /** Of migration streams between the hosts. */
  readonly paths = new PathTrials((name) => this.of(name));
  readonly #links = new Map<string, HostLink>();
  readonly #members = new Map<string, string>();
  readonly #push: MemberPush;
  readonly #certificateDays: number;
  #identity: LinkIdentity;
  readonly #store: Store;
  readonly #intake: ReportIntake;
  readonly #log: Logger;

  /** @param certificateDays how long a host's certificate counts */
  constructor(identity: LinkIdentity, store: Store, log: Logger, certificateDays: number) {
    this.#certificateDays = certificateDays;
    this.#identity = identity;
    this.#store = store;
    this.#intake = new ReportIntake(store, log);
    this.#log = log;
    this.#push = new MemberPush(store, log);
  }

  async start(): Promise<void> {
    for (const host of await this.#store.hosts.connections()) await this.add(host);
  }

  /** Also in the place of one that has joined again. */
  async add(host: LinkedHost): Promise<void> {
    await this.#links.get(host.name)?.stop();
    const holdsLease = (vm: VmView) => this.#holdsLease(vm, host.name);
    const link = new HostLink(host, this.#identity, this.#store, this.#intake, holdsLease, this.#log);
    this.#links.set(host.name, link);
    this.#members.set(host.name, host.memberId);
    if (host.certificateEndsAt !== null) this.renewed(host.name, host.certificateEndsAt);
    link.onUp(() => {
      this.#push.to(link);
    });
    link.start();
    this.#pushToAll();
  }

  async remove(name: string): Promise<void> {
    const link = this.#links.get(name);
    this.#links.delete(name);
    this.#intake.forget(name);
    this.#members.delete(name);
    this.#pushToAll();
    await link?.stop();
  }

  /** The server shows another certificate from now on. */
  renew(identity: LinkIdentity): void {
    this.#identity = identity;
    for (const link of this.#links.values()) link.show(identity);
  }

  /** A host was given a certificate that ends then. */
  renewed(name: string, certificateEndsAt: Date): void {
    const lateFrom = new Date(certificateEndsAt.getTime() - this.#certificateDays * lateShare * 86_400_000);
    this.#links.get(name)?.renewed({ endsAt: certificateEndsAt, lateFrom });
  }

  #pushToAll(): void {
    for (const link of this.#links.values()) if (link.isUp) this.#push.to(link);
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

  /** Of an agent that is not connected: for its version, or since its certificate is about to end or has. */
  absenceAlarms(name: string): Finding[] {
    const link = this.#links.get(name);
    if (link === undefined || link.isUp) return [];
    return [
      ...link.versionFindings.filter(({ severity }) => severity === "error"),
      ...link.certificateAlarms,
    ];
  }

  /** Whether the host is a member by the id that it got when it joined last. */
  mayConnect(name: string, memberId: string): boolean {
    return this.#members.get(name) === memberId;
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
