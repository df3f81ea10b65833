/**
 * Renews the host's certificates when two thirds of their life are over, with new keys, over the connection that the
 * present ones authenticate. While the server cannot be reached it is tried again; certificates of an earlier version,
 * which carry no member's id, are renewed at once. Once the new certificate is the one that the next start reads, the server
 * is told that it is in use: from then on none before it counts.
 */
import { X509Certificate } from "node:crypto";
import type { Client } from "@godwit/client";
import { certificateOf, GodwitError, type HostTrust, type serverOperations } from "@godwit/contract";
import { certificatesIn, createKeyAndRequest, fingerprintOf, issuerOf, lifeOf } from "@godwit/pki";
import { sleep } from "@godwit/system";
import type { Logger } from "pino";
import type { AgentConfig } from "./config.ts";
import { writeIdentity, type AgentIdentity, type CurrentIdentity } from "./identity.ts";

const hourMs = 3_600_000;
const shortestRetryMs = 1000;
const longestRetryMs = 600_000;
const confirmRetryMs = 5000;

export class CertificateRenewal {
  readonly #config: AgentConfig;
  readonly #identity: CurrentIdentity;
  readonly #server: Client<typeof serverOperations>;
  readonly #onRenewed: (identity: AgentIdentity) => void;
  readonly #log: Logger;
  readonly #stopped = new AbortController();
  /** Whether the server knows that the present certificate is in use. An agent that was killed may not have said so. */
  #isConfirmed = false;
  #renewing: Promise<unknown> = Promise.resolve();

  constructor(
    config: AgentConfig,
    identity: CurrentIdentity,
    server: Client<typeof serverOperations>,
    onRenewed: (identity: AgentIdentity) => void,
    log: Logger,
  ) {
    this.#config = config;
    this.#identity = identity;
    this.#server = server;
    this.#onRenewed = onRenewed;
    this.#log = log;
  }

  start(): void {
    void this.#run().catch((error: unknown) => {
      this.#log.error({ err: error }, "certificates are not renewed any more");
    });
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** At once, because the server asks for it: what is trusted has changed. @throws what the connection throws */
  async now(): Promise<HostTrust> {
    await this.#renewInTurn();
    return await this.trust();
  }

  async trust(): Promise<HostTrust> {
    const { caPem, certificatePem } = this.#identity.current;
    return {
      authorities: await Promise.all(certificatesIn(caPem).map((pem) => fingerprintOf(pem))),
      issuedBy: await issuerOf(certificatePem, caPem),
    };
  }

  /** Keys and certificates of two renewals never mix. */
  async #renewInTurn(): Promise<string> {
    const done = this.#renewing.then(() => this.#renewOnce());
    this.#renewing = done.catch(() => undefined);
    return await done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      // Again and again: its database may have been restored from a backup of before.
      await this.#confirm();
      const waitMs = dueInMs(this.#identity.current.certificatePem, Date.now());
      // The clock may be set while it is waited.
      if (waitMs > 0) await sleep(Math.min(waitMs, this.#isConfirmed ? hourMs : confirmRetryMs), signal);
      else await sleep(await this.#renew(), signal);
    }
  }

  /** @returns whether the server knows now; one of an earlier version has no use for it */
  async #confirm(): Promise<boolean> {
    try {
      await this.#server.call("hostCertificateUse", {});
      this.#isConfirmed = true;
    } catch (error) {
      this.#isConfirmed = GodwitError.is(error, "ROUTE_UNKNOWN");
      if (!this.#isConfirmed)
        this.#log.info({ err: error }, "the server does not know yet which certificate is in use");
    }
    return this.#isConfirmed;
  }

  /** @returns how long to wait before the next look */
  async #renew(): Promise<number> {
    try {
      const certificate = await this.#renewInTurn();
      if (!this.#isConfirmed) return confirmRetryMs;
      // Not at once again, also by a clock that is far ahead of the server's.
      return retryInMs(certificate);
    } catch (error) {
      const isOlder =
        GodwitError.is(error, "ANSWER_NOT_UNDERSTOOD") || GodwitError.is(error, "ROUTE_UNKNOWN");
      if (isOlder) return hourMs; // a server of an earlier version renews nothing
      const { until } = lifeOf(this.#identity.current.certificatePem);
      const remedy = GodwitError.is(error) ? error.remedy : undefined;
      this.#log.error({ err: error, until, remedy }, "the host's certificates could not be renewed");
      return retryInMs(this.#identity.current.certificatePem);
    }
  }

  /** @returns the new certificate */
  async #renewOnce(): Promise<string> {
    const { name } = this.#config;
    const [host, migration] = [await createKeyAndRequest(name), await createKeyAndRequest(name)];
    const body = { certificateRequest: host.requestPem, migrationCertificateRequest: migration.requestPem };
    const answer = await this.#server.call("hostCertificateRenew", { body });
    await writeIdentity(this.#config, { ...answer, hostKey: host.keyPem, migrationKey: migration.keyPem });
    this.#identity.current = {
      ...this.#identity.current,
      ...{ caPem: answer.caCertificate, certificatePem: answer.certificate, keyPem: host.keyPem },
      migration: { certificatePem: answer.migrationCertificate, keyPem: migration.keyPem },
    };
    this.#onRenewed(this.#identity.current);
    this.#log.info({ until: lifeOf(answer.certificate).until }, "certificates renewed");
    this.#isConfirmed = false;
    await this.#confirm();
    return answer.certificate;
  }
}

/** When a certificate is to be renewed, in ms from now; at most 0: it is due. Pure but for the certificate's text. */
export function dueInMs(certificatePem: string, nowMs: number): number {
  const { subjectAltName, fingerprint256 } = new X509Certificate(certificatePem);
  const isOfEarlierVersion =
    certificateOf(subjectAltName, fingerprint256).id === certificateOf(undefined, fingerprint256).id;
  return isOfEarlierVersion ? 0 : lifeOf(certificatePem).renewAt.getTime() - nowMs;
}

/** Some twenty tries in what is left of its life when it is due. */
function retryInMs(certificatePem: string): number {
  const { renewAt, until } = lifeOf(certificatePem);
  const leftMs = until.getTime() - renewAt.getTime();
  return Math.min(longestRetryMs, Math.max(shortestRetryMs, leftMs / 20));
}
