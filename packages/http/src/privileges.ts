/** Who calls, and whether the caller has the privilege of an operation. A certificate's role and name are its OU and CN. */
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { timingSafeEqual } from "node:crypto";
import {
  certificateOf,
  GodwitError,
  serverGenerationOf,
  type CertificateOf,
  type Operation,
  type Privilege,
} from "@godwit/contract";

export type Actor =
  | { kind: "anonymous" }
  | { kind: "admin" }
  | { kind: "host"; name: string; certificate: CertificateOf }
  | { kind: "server"; name: string };

/** What an HTTP server knows of its callers. */
export interface Authority {
  /** The admin token; null where there is none (agents). */
  adminToken: string | null;
  /** Whether a host is still a member of the cluster, by what its certificate carries, and the certificate its newest. */
  mayConnect: (host: string, certificate: CertificateOf) => boolean | Promise<boolean>;
  /**
   * Hears from which of the servers on one database a call is, and refuses orders of those before the last. Default: none.
   * @param generation null: a server of an earlier version, which tells none
   */
  hearServer?: (generation: number | null, isOrder: boolean) => Promise<void>;
}

/** @throws UNAUTHENTICATED, CERTIFICATE_INVALID */
export async function identify(request: IncomingMessage, authority: Authority): Promise<Actor> {
  const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1];
  if (bearer !== undefined) {
    if (authority.adminToken !== null && sameText(bearer, authority.adminToken)) return { kind: "admin" };
    throw GodwitError.of("UNAUTHENTICATED", { reason: "the admin token is not this server's" });
  }
  // Every server here is one for TLS.
  const socket = request.socket as unknown as TLSSocket;
  const certificate = socket.getPeerCertificate() as {
    subject?: { CN?: string; OU?: string };
    subjectaltname?: string;
    fingerprint256?: string;
    valid_to?: string;
  };
  const { subject, fingerprint256 = "" } = certificate;
  if (subject === undefined) return { kind: "anonymous" };
  const name = String(subject.CN);
  if (!socket.authorized) {
    const reason = String(socket.authorizationError);
    if (reason === "CERT_HAS_EXPIRED" && subject.OU === "host") {
      const endedAt = new Date(String(certificate.valid_to)).toISOString();
      throw GodwitError.of("CERTIFICATE_EXPIRED", { host: name, endedAt, now: new Date().toISOString() });
    }
    throw GodwitError.of("CERTIFICATE_INVALID", { subject: name, reason });
  }
  if (subject.OU === "server") return { kind: "server", name };
  if (subject.OU !== "host") {
    throw GodwitError.of("CERTIFICATE_INVALID", {
      subject: name,
      reason: `its role ${String(subject.OU)} may not call`,
    });
  }
  const carried = certificateOf(certificate.subjectaltname, fingerprint256);
  if (await authority.mayConnect(name, carried)) return { kind: "host", name, certificate: carried };
  const reason = "the host was removed, or has a newer certificate";
  throw GodwitError.of("CERTIFICATE_INVALID", { subject: `host ${name}`, reason });
}

const needs: Record<Privilege, string> = {
  public: "nothing",
  admin: "the admin token",
  host: "a host's certificate",
  server: "the server's certificate",
};

/**
 * Lets a caller who is known call an operation. Whatever changes something is an order, and so is a console.
 * @throws UNAUTHENTICATED, FORBIDDEN, SERVER_SUPERSEDED
 */
export async function authorise(
  actor: Actor,
  { method, privilege, answer }: Operation,
  { headers }: IncomingMessage,
  { hearServer }: Authority,
): Promise<void> {
  requirePrivilege(actor, privilege);
  if (actor.kind === "server")
    await hearServer?.(serverGenerationOf(headers), method !== "GET" || answer.socket === true);
}

function requirePrivilege(actor: Actor, privilege: Privilege): void {
  if (privilege === "public" || actor.kind === privilege) return;
  if (actor.kind === "anonymous") {
    throw GodwitError.of("UNAUTHENTICATED", { reason: `this operation needs ${needs[privilege]}` });
  }
  const who = actor.kind === "admin" ? "The holder of the admin token" : `The ${actor.kind} ${actor.name}`;
  throw GodwitError.of("FORBIDDEN", { who, needs: needs[privilege] });
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
