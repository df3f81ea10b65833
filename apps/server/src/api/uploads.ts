/** Files that are uploaded to a datastore: forwarded to a host that writes them. */
import type { serverOperations } from "@godwit/contract";
import { forward, keepAlive, type Handlers } from "@godwit/http";
import type { WebSocket } from "ws";
import { chooseKnownHost } from "../moves/choose-host.ts";
import type { Services } from "../services.ts";
import { ableTo } from "./able-to.ts";

type UploadOperations = Pick<typeof serverOperations, "datastoreUpload">;

/** With more than this unsent in one direction, the sender is not read from. */
const highWaterBytes = 1024 * 1024;

export function uploadHandlers(services: Services): Handlers<UploadOperations> {
  const { store, hosts } = services;
  return {
    datastoreUpload: async ({ params, query: { host: named, ...query }, signal }) => {
      const { datastore } = params;
      const host = await chooseKnownHost(services, { datastores: [datastore], nics: [] }, named);
      ableTo("upload", await store.hosts.list(), host);
      const link = hosts.of(host);
      const upstream = await link.agent
        .open("datastoreUpload", { params: { datastore }, query })
        .catch((error: unknown) => {
          throw link.unreachable(error);
        });
      keepAlive(upstream);
      signal.addEventListener("abort", () => {
        upstream.terminate();
      });
      if (signal.aborted) upstream.terminate();
      return (socket) => {
        forwardAll(socket, upstream);
      };
    },
  };
}

/** Both ways, until one end closes. */
function forwardAll(socket: WebSocket, upstream: WebSocket): void {
  socket.on("message", (data, isBinary) => {
    if (isBinary) forward({ data, binary: true }, socket, upstream, highWaterBytes);
  });
  upstream.on("message", (data, isBinary) => {
    if (!isBinary) forward({ data, binary: false }, upstream, socket, highWaterBytes);
  });
  socket.on("close", () => {
    upstream.terminate();
  });
  upstream.on("close", () => {
    socket.close(1000);
  });
  if (upstream.readyState === upstream.CLOSED) socket.close(1000);
  upstream.resume();
}
