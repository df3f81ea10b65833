/** WebSockets of the client: opened within a time, and ended when the other side is silent. */
import type { IncomingMessage } from "node:http";
import type { WebSocket } from "ws";
import { tlsOptions, type ClientTls } from "./tls.ts";

const connectLimitMs = 4000;
/** The other side of a WebSocket pings every 5 s. */
const silenceMs = 16_000;

/**
 * What arrives before the caller listens is kept: the socket is paused.
 * @param refused answers the error of an answer that is not a WebSocket
 */
export async function openSocket(
  url: URL,
  tls: ClientTls | undefined,
  headers: Record<string, string>,
  refused: (response: IncomingMessage) => Promise<Error>,
): Promise<WebSocket> {
  const { WebSocket } = await import("ws");
  // ws hands the TLS options on to Node; its types know only some of them.
  const options = {
    ...tlsOptions(tls),
    ...{ headers, handshakeTimeout: connectLimitMs, perMessageDeflate: false, maxPayload: 1 << 20 },
  };
  const socket = new WebSocket(url.href.replace(/^https/, "wss"), options);
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  socket.on("unexpected-response", (_, response) => {
    refused(response).then(reject, reject);
  });
  socket.on("error", reject);
  socket.on("open", () => {
    socket.pause();
    endWhenSilent(socket);
    resolve(socket);
  });
  return await promise;
}

/** The other side pings; without a ping for long the connection is dead. */
function endWhenSilent(socket: WebSocket): void {
  const arm = () =>
    setTimeout(() => {
      if (socket.isPaused) timer = arm();
      else socket.terminate();
    }, silenceMs);
  let timer = arm();
  socket.on("ping", () => {
    clearTimeout(timer);
    timer = arm();
  });
  socket.on("close", () => {
    clearTimeout(timer);
  });
}
