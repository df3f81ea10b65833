/**
 * Puts a new certificate authority in the place of the old one while the cluster works. An operator takes each step;
 * between them the hosts that are connected get what they lack. A step is refused while a host is not ready for it,
 * unless the operator leaves that host out: it joins again later.
 */
import { GodwitError, type AuthorityView, type HostTrust } from "@godwit/contract";
import { fingerprintOf, lifeOf } from "@godwit/pki";
import type { Logger } from "pino";
import type { DataFolder } from "../data-folder.ts";
import type { HostLinks } from "../hosts/host-links.ts";
import type { ClusterAuthority } from "./authority-files.ts";
import { isReady, type RotationPhase } from "./phases.ts";

const lookEveryMs = 3000;
const answerLimitMs = 8000;

export interface RotationSources {
  data: DataFolder;
  hosts: HostLinks;
  /** The names of all members. */
  members: () => Promise<string[]>;
  /** Writes the next phase, and lets the server show and trust what follows from it. */
  advance: () => Promise<void>;
  log: Logger;
}

export class AuthorityRotation {
  readonly #sources: RotationSources;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** One at a time. */
  #advancing: Promise<unknown> = Promise.resolve();
  /** The same: hosts that renew already are not asked to renew again. */
  #bringing: Promise<void> = Promise.resolve();

  constructor(sources: RotationSources) {
    this.#sources = sources;
  }

  /** Hosts may be connected, and lack something, at any time. */
  start(): void {
    this.#timer = setTimeout(() => {
      void this.#bringUp().finally(() => {
        if (!this.#stopped) this.start();
      });
    }, lookEveryMs);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async show(): Promise<AuthorityView> {
    const { data } = this.#sources;
    const { rotation, signing } = data.cluster;
    const view = async ({ certificatePem }: ClusterAuthority["signing"]) => ({
      fingerprint: await fingerprintOf(certificatePem),
      until: lifeOf(certificatePem).until.toISOString(),
    });
    if (rotation === null) return { phase: null, signing: await view(signing), next: null, hosts: [] };
    return {
      phase: rotation.phase,
      signing: await view(signing),
      next: await view(rotation.next),
      hosts: await this.#hosts(rotation),
    };
  }

  /** @param without hosts that are not waited for. @throws AUTHORITY_HOSTS_BEHIND */
  async proceed(without: readonly string[]): Promise<AuthorityView> {
    const done = this.#advancing.then(() => this.#proceed(without));
    this.#advancing = done.catch(() => undefined);
    await done;
    void this.#bringUp();
    return await this.show();
  }

  async #proceed(without: readonly string[]): Promise<void> {
    const { data, advance, log } = this.#sources;
    const { rotation } = data.cluster;
    if (rotation !== null) {
      const behind = (await this.#hosts(rotation)).filter(
        ({ host, state }) => state !== "ready" && !without.includes(host),
      );
      if (behind.length > 0)
        throw GodwitError.of("AUTHORITY_HOSTS_BEHIND", {
          hosts: behind.map(({ host, reason }) => ({ host, reason })),
        });
    }
    await advance();
    log.info(
      { phase: data.cluster.rotation?.phase ?? "ended", without },
      "the certificate authority is being replaced",
    );
  }

  async #hosts(rotation: NonNullable<ClusterAuthority["rotation"]>): Promise<AuthorityView["hosts"]> {
    const wanted = await fingerprintsOf(rotation);
    return await Promise.all(
      (await this.#sources.members()).map(async (host) => {
        const { trust, reason } = await this.#trustOf(host);
        if (trust === null) return { host, state: "absent" as const, reason };
        const ready = isReady(rotation.phase, trust, wanted);
        return {
          host,
          state: ready ? ("ready" as const) : ("behind" as const),
          reason: ready ? "" : whatLacks[rotation.phase],
        };
      }),
    );
  }

  async #trustOf(host: string): Promise<{ trust: HostTrust | null; reason: string }> {
    const { hosts } = this.#sources;
    if (!hosts.isUp(host)) return { trust: null, reason: "it is not connected" };
    try {
      return {
        trust: await hosts.of(host).agent.call("certificatesShow", {}, { timeoutMs: answerLimitMs }),
        reason: "",
      };
    } catch (error) {
      if (!GodwitError.is(error)) throw error;
      return { trust: null, reason: error.problem.detail };
    }
  }

  /** Lets every connected host that lacks something renew its certificates, which brings it what is trusted now. */
  async #bringUp(): Promise<void> {
    this.#bringing = this.#bringing
      .then(() => this.#bringUpOnce())
      .catch((error: unknown) => {
        this.#sources.log.warn({ err: error }, "hosts were not asked to renew their certificates");
      });
    await this.#bringing;
  }

  async #bringUpOnce(): Promise<void> {
    const { data, hosts, log } = this.#sources;
    const { rotation } = data.cluster;
    if (rotation === null) return;
    const behind = (await this.#hosts(rotation)).filter(({ state }) => state === "behind");
    await Promise.all(
      behind.map(async ({ host }) => {
        await hosts
          .of(host)
          .agent.call("certificatesRenew", {}, { timeoutMs: answerLimitMs })
          .catch((error: unknown) => {
            log.warn({ err: error, host }, "the host's certificates were not renewed; it is tried again");
          });
      }),
    );
  }
}

const whatLacks: Record<RotationPhase, string> = {
  trusting: "it does not trust the new authority yet",
  replacing: "its certificate is still of the old authority",
  closing: "it still trusts the old authority",
};

const fingerprintsOf = async ({ before, next }: NonNullable<ClusterAuthority["rotation"]>) => ({
  before: await fingerprintOf(before.certificatePem),
  next: await fingerprintOf(next.certificatePem),
});
