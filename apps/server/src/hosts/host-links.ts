/** The lines to all agents, one for each host that has joined. */
import { sharedContext } from "@godwit/client";
import {
  GodwitError,
  type CertificateOf,
  type Finding,
  type HostFacts,
  type HostLoad,
  type VmView,
} from "@godwit/contract";
import { isConfirmed } from "@godwit/placement";
import type { HostRow, Store } from "@godwit/store";
import type { Logger } from "pino";
import type { ChapSecrets } from "../datastores/chap-secrets.ts";
import { Announcements } from "./announcements.ts";
import { DatastorePush } from "./datastore-push.ts";
import { HostLink } from "./host-link.ts";
import type { LinkIdentity, ShownIdentity } from "./link-identity.ts";
import { NetworkPush } from "./network-push.ts";
import { PathTrials } from "./path-trials.ts";
import { MemberPush } from "./member-push.ts";
import { ReportIntake } from "./report-intake.ts";
import { readVmLease } from "./vm-lease.ts";

/** An agent renews when a third of its certificate's life is left; with less than this an operator is told. */
const lateShare = 0.25;
/** At the server's start. One that does not answer is waited for no longer than this, and tried on. */
const connectingAtOnce = 16;
const connectingMs = 250;

type LinkedHost = Pick<HostRow, "name" | "agentUrl" | "memberId" | "certificateInUse" | "certificateEndsAt">;

/** Which hosts have lost their access to datastores. */
export interface AccessOfHosts {
  heard(host: string, facts: HostFacts): Finding[];
  alarms(host: string): Finding[];
  seen(load: HostLoad): HostLoad;
}

export class HostLinks {
  /** Of migration streams between the hosts. */
  readonly paths = new PathTrials((name) => this.of(name));
  readonly #links = new Map<string, HostLink>();
  /** The earliest certificate of each that counts. */
  readonly #members = new Map<string, CertificateOf>();
  readonly #push: MemberPush;
  /** Keeps the hosts' datastores as they are defined. */
  readonly datastores: DatastorePush;
  /** The same for their switches and port groups. */
  readonly networks: NetworkPush;
  readonly #stopped = new AbortController();
  readonly #certificateDays: number;
  #identity: ShownIdentity;
  readonly #store: Store;
  readonly #intake: ReportIntake;
  readonly #announcements: Announcements;
  readonly #access: AccessOfHosts | null;
  readonly #log: Logger;

  /**
   * @param certificateDays how long a host's certificate counts
   * @param secrets of datastores; null: there are none
   * @param access of hosts to datastores; null: every host has it
   */
  constructor(
    identity: LinkIdentity,
    store: Store,
    log: Logger,
    certificateDays: number,
    secrets: Pick<ChapSecrets, "open"> | null = null,
    access: AccessOfHosts | null = null,
  ) {
    this.#access = access;
    this.#certificateDays = certificateDays;
    this.#identity = shown(identity);
    this.#store = store;
    this.#announcements = new Announcements({ links: this.#links, store, log });
    this.#intake = new ReportIntake(store, log, (load) => {
      this.#announcements.take(load).catch((error: unknown) => {
        log.warn({ err: error, host: load.name }, "VMs that have moved could not be announced again");
      });
    });
    this.#log = log;
    this.#push = new MemberPush(this.#links, store, log);
    this.datastores = new DatastorePush(this.#links, store, log, secrets);
    this.networks = new NetworkPush(this.#links, store, log);
  }

  /** All are known when it resolves; they are connected to some at a time, so that the first are not lost for the last. */
  async start(): Promise<void> {
    const links = (await this.#store.hosts.connections()).map((host) => this.#enter(host));
    void this.#connectAll(links);
  }

  /** Also in the place of one that has joined again. */
  async add(host: LinkedHost): Promise<void> {
    await this.#links.get(host.name)?.stop();
    this.#enter(host).start();
    this.#push.changed("joined");
  }

  async #connectAll(links: readonly HostLink[]): Promise<void> {
    const waiting = links.values();
    const connectOneByOne = async () => {
      for (const link of waiting) {
        if (this.#stopped.signal.aborted) return;
        if (!this.has(link)) continue;
        link.start();
        await link.comesUp(connectingMs);
      }
    };
    await Promise.all(Array.from({ length: connectingAtOnce }, connectOneByOne));
  }

  #enter(host: LinkedHost): HostLink {
    const holdsLease = (vm: VmView) => this.#holdsLease(vm, host.name);
    const { name, agentUrl } = host;
    const accepts = (certificate: CertificateOf) => this.mayConnect(name, certificate);
    const link = new HostLink(
      { name, agentUrl, accepts },
      this.#identity,
      this.#store,
      this.#intake,
      holdsLease,
      this.#log,
      async (facts) => [
        ...(await this.datastores.heard(host.name, facts)),
        ...(await this.networks.heard(host.name, facts)),
        ...(this.#access?.heard(host.name, facts) ?? []),
      ],
      (load) => this.#access?.seen(load) ?? load,
    );
    this.#links.set(host.name, link);
    this.#members.set(host.name, { id: host.memberId, number: host.certificateInUse });
    if (host.certificateEndsAt !== null) this.renewed(host.name, host.certificateEndsAt);
    link.onUp(() => {
      this.#push.to(link);
    });
    return link;
  }

  async remove(name: string): Promise<void> {
    const link = this.#links.get(name);
    this.#links.delete(name);
    this.#intake.forget(name);
    this.#announcements.forget(name);
    this.datastores.forget(name);
    this.networks.forget(name);
    this.#members.delete(name);
    this.#push.changed("removed");
    await link?.stop();
  }

  /** The server shows another certificate from now on. */
  renew(identity: LinkIdentity): void {
    this.#identity = shown(identity);
    for (const link of this.#links.values()) link.show(this.#identity);
  }

  /** A host was given a certificate that ends then. */
  renewed(name: string, certificateEndsAt: Date): void {
    const lateFrom = new Date(certificateEndsAt.getTime() - this.#certificateDays * lateShare * 86_400_000);
    this.#links.get(name)?.renewed({ endsAt: certificateEndsAt, lateFrom });
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

  /** Of the datastores that it has no access to, also while its agent is not connected. */
  accessAlarms(name: string): Finding[] {
    return this.#access?.alarms(name) ?? [];
  }

  /** It uses this certificate, and none before it. */
  usesCertificate(name: string, certificate: CertificateOf): void {
    this.#members.set(name, certificate);
    this.#push.changed("joined");
  }

  /** Whether the host is a member by the id that it got when it joined last, and has used no newer certificate. */
  mayConnect(name: string, { id, number }: CertificateOf): boolean {
    const member = this.#members.get(name);
    return member?.id === id && number >= member.number;
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
    this.#stopped.abort();
    this.#push.stop();
    await Promise.all([...this.#links.values()].map((link) => link.stop()));
  }
}

const shown = (identity: LinkIdentity): ShownIdentity => {
  const { caPem: ca, certificatePem: cert, keyPem: key } = identity;
  return { ...identity, context: sharedContext({ ca, cert, key }) };
};
