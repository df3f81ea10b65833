/**
 * Operations of the contract that are WebSockets: the same privileges and validation as of every other
 * operation, and refusals as problem documents before the connection changes its protocol.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { helloOf, type Operation, type Operations, type Problem } from "@godwit/contract";
import { WebSocketServer, type WebSocket } from "ws";
import { validated, type Call, type Handlers, type SocketHandler } from "./mount.ts";
import { authorise, identify, type Authority } from "./privileges.ts";
import { problemOf } from "./problems.ts";
import { endWith, type HttpServer } from "./server.ts";

const pingEveryMs = 5000;
/** A connection without an answer to a ping for this long is terminated. */
const silenceMs = 15_000;

export function mountSockets<Ops extends Operations>(
  http: HttpServer,
  operations: Ops,
  handlers: Handlers<Ops>,
  authority: Authority,
): void {
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 1 << 20 });
  for (const [name, operation] of Object.entries(operations)) {
    if (operation.answer.socket !== true) continue;
    const pattern = new RegExp(`^${operation.path.replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`);
    const handler = handlers[name] as unknown as (
      call: Call<Operation>,
    ) => SocketHandler | Promise<SocketHandler>;
    http.onUpgrade(
      (path) => pattern.test(path),
      (request, socket, head) => {
        admit(operation, pattern, handler, authority, request, socket).then(
          (take) => {
            sockets.handleUpgrade(request, socket, head, (line) => {
              keepAlive(line);
              take(line);
            });
          },
          (error: unknown) => {
            refuse(socket, problemOf(error, { log: http.app.log }));
          },
        );
      },
    );
  }
}

/** Pings the other end, and terminates a connection that does not answer. A paused connection receives nothing and is left alone. */
export function keepAlive(line: WebSocket): void {
  let heardAt = performance.now();
  const heard = () => {
    heardAt = performance.now();
  };
  const beat = setInterval(() => {
    if (line.isPaused) heard();
    if (performance.now() - heardAt > silenceMs) line.terminate();
    else line.ping();
  }, pingEveryMs);
  line.on("pong", heard);
  line.on("error", () => undefined);
  line.on("close", () => {
    clearInterval(beat);
  });
}

async function admit(
  operation: Operation,
  pattern: RegExp,
  handler: (call: Call<Operation>) => SocketHandler | Promise<SocketHandler>,
  authority: Authority,
  request: IncomingMessage,
  socket: Duplex,
): Promise<SocketHandler> {
  const actor = await identify(request, authority);
  await authorise(actor, operation, request, authority);
  const url = new URL(request.url ?? "", "https://here");
  const groups = Object.entries(pattern.exec(url.pathname)?.groups ?? {});
  const gone = new AbortController();
  socket.once("close", () => {
    gone.abort();
  });
  return await handler({
    params: validated(
      operation.params,
      Object.fromEntries(groups.map(([key, value]) => [key, decoded(value)])),
      "path",
    ),
    query: validated(operation.query, Object.fromEntries(url.searchParams), "query"),
    body: undefined,
    actor,
    hello: helloOf(request.headers),
    signal: gone.signal,
  } as Call<Operation>);
}

/** What is no URL encoding stands for itself, and is refused by name. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function refuse(socket: Duplex, problem: Problem): void {
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${String(problem.status)} ${problem.title}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    "Connection: close",
  ];
  endWith(socket, `${head.join("\r\n")}\r\n\r\n${body}`);
}
