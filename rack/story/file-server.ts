/** Gives files of this machine to servers over the management network, which the guest agent's port is too slow for. */
import { createReadStream } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { outsideAddress } from "../src/networks.ts";
import type { Server } from "../src/server.ts";

/** As every Debian has it; a bare one has no other program that fetches something. */
const fetcher = "/usr/lib/apt/apt-helper";

export class FileServer {
  readonly #server: HttpServer;
  readonly #paths: string[] = [];

  private constructor(server: HttpServer, paths: string[]) {
    this.#server = server;
    this.#paths = paths;
  }

  /** From the rack's namespace. */
  static async listen(): Promise<FileServer> {
    const paths: string[] = [];
    const server = createServer((request, response) => {
      const path = paths[Number(request.url?.slice(1))];
      if (path === undefined) response.writeHead(404).end();
      else createReadStream(path).pipe(response);
    });
    server.listen(0, outsideAddress("management"));
    await once(server, "listening");
    return new FileServer(server, paths);
  }

  /** @throws PROGRAM_FAILED */
  async fetch(server: Server, from: string, to: string): Promise<void> {
    const number = this.#paths.push(from) - 1;
    const { port } = this.#server.address() as AddressInfo;
    const url = `http://${outsideAddress("management")}:${String(port)}/${String(number)}`;
    await server.run("mkdir", "-p", to.slice(0, to.lastIndexOf("/")));
    await server.run(fetcher, "download-file", url, to);
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close").catch(() => undefined);
  }
}
