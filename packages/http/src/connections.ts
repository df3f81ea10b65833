/**
 * The connections of an HTTPS server, counted and bounded. A connection is unknown from its first packet until its
 * caller has shown a certificate of the cluster or the admin token. Unknown ones are few, whoever makes how many: an
 * address may have so many, and of all of them the oldest goes first. Known ones are never ended for unknown ones.
 */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { connectionLimits } from "./limits.ts";

export type ConnectionLimits = { readonly [K in keyof typeof connectionLimits]: number };

export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #open = new Set<Socket>();
  /** The oldest first. By the addresses of both ends: TCP and TLS have a socket each for the same connection. */
  readonly #unknown = new Map<string, Socket>();
  readonly #unknownByAddress = new Counts();
  readonly #byCertificate = new Counts();

  constructor(limits: ConnectionLimits = connectionLimits) {
    this.#limits = limits;
  }

  /** Takes a connection before its TLS handshake, or ends it. */
  accept(socket: Socket): void {
    socket.on("error", () => undefined);
    const address = socket.remoteAddress ?? "";
    const { all, unknown, unknownByAddress } = this.#limits;
    if (this.#open.size >= all || this.#unknownByAddress.of(address) >= unknownByAddress) {
      socket.destroy();
      return;
    }
    if (this.#unknown.size >= unknown) this.#endOldest();
    const id = idOf(socket);
    this.#open.add(socket);
    this.#unknown.set(id, socket);
    this.#unknownByAddress.add(address);
    socket.once("close", () => {
      this.#open.delete(socket);
      if (this.#unknown.delete(id)) this.#unknownByAddress.remove(address);
    });
  }

  /** The handshake is done: a caller with a certificate of the cluster is known. */
  secured(socket: TLSSocket): void {
    socket.on("error", () => undefined);
    if (!socket.authorized) return;
    this.known(socket);
    const { subject } = socket.getPeerCertificate();
    const name = `${String(subject.OU)}/${String(subject.CN)}`;
    if (this.#byCertificate.of(name) >= this.#limits.byCertificate) {
      socket.destroy();
      return;
    }
    this.#byCertificate.add(name);
    socket.once("close", () => {
      this.#byCertificate.remove(name);
    });
  }

  /** The caller has shown who it is. */
  known(socket: Socket): void {
    if (this.#unknown.delete(idOf(socket))) this.#unknownByAddress.remove(socket.remoteAddress ?? "");
  }

  closeAll(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #endOldest(): void {
    for (const [id, socket] of this.#unknown) {
      this.#unknown.delete(id);
      this.#unknownByAddress.remove(socket.remoteAddress ?? "");
      socket.destroy();
      return;
    }
  }
}

export class Counts {
  readonly #counts = new Map<string, number>();

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  remove(key: string): void {
    const left = this.of(key) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}

const idOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  [remoteAddress, remotePort, localAddress, localPort].map(String).join(" ");
