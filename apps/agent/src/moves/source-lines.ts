/** The lines that sources' agents ask for to moves that come here: each of a known host, in a version that both speak. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import {
  commonVersion,
  helloHeaders,
  helloOf,
  helloText,
  moveIdSchema,
  type CertificateOf,
  type Hello,
  type MoveId,
} from "@godwit/contract";
import { toDestinationWire, toSourceWire } from "@godwit/migration";
import type { Logger } from "pino";
import { WebSocketServer, type WebSocket } from "ws";
import { PeerLine } from "./peer-line.ts";
import type { DestinationLine } from "./peer-link.ts";

/** A host that a line is of, by the certificate that opened it. */
export interface LineOwner {
  name: string;
  certificate: CertificateOf;
}

type Opened = (line: DestinationLine, moveId: MoveId, host: string) => void;

export class SourceLines {
  readonly #own: { host: string; hello: Hello; log: Logger };
  readonly #opened: Opened;
  readonly #lines = new Map<WebSocket, LineOwner>();
  readonly #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 1 << 20 });

  /** @param own this host's name, and its agent's version */
  constructor(own: { host: string; hello: Hello; log: Logger }, opened: Opened) {
    this.#own = own;
    this.#opened = opened;
    this.#sockets.on("headers", (lines) => {
      for (const [name, value] of Object.entries(helloHeaders(own.hello))) lines.push(`${name}: ${value}`);
    });
  }

  /** A source's agent asks for a line to its move. The caller is known to be this host. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, owner: LineOwner): void {
    const moveId = moveIdSchema.safeParse(/^\/peer\/v1\/moves\/([^/?]+)$/.exec(request.url ?? "")?.[1]);
    if (!moveId.success) {
      socket.destroy();
      return;
    }
    const { hello, log } = this.#own;
    const peer = helloOf(request.headers);
    const version = commonVersion(hello.protocol, peer.protocol);
    this.#sockets.handleUpgrade(request, socket, head, (accepted) => {
      accepted.on("error", () => undefined);
      this.#lines.set(accepted, owner);
      accepted.on("close", () => this.#lines.delete(accepted));
      if (version === null) {
        // The source's agent knows it by the headers of the answer, and tells its user.
        log.warn(
          { host: owner.name, version: helloText(peer) },
          "a host's agent has no version in common with this one",
        );
        accepted.close();
        return;
      }
      const heard = { heard: toDestinationWire, said: toSourceWire } as const;
      this.#opened(new PeerLine(accepted, { version, ...heard, ...this.#own }), moveId.data, owner.name);
    });
  }

  /** Those by certificates that do not count any more end; others of the host do not. */
  dropOf(host: string, counts: (certificate: CertificateOf) => boolean): void {
    for (const [line, { name, certificate }] of this.#lines)
      if (name === host && !counts(certificate)) line.terminate();
  }
}
