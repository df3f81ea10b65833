/** A lab's server with its private PostgreSQL: started in its namespace, reached from here by a socket that it inherits. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { endProcess, identifyProcess, type ProcessIdentity } from "@godwit/system";
import { spawnRole } from "../hosts/spawn-role.ts";
import type { OpenLab } from "../lab-file.ts";
import { namespaceOf, serverAddress, serverPort } from "../names.ts";

export class LabServer {
  readonly #lab: OpenLab;

  constructor(lab: OpenLab) {
    this.#lab = lab;
  }

  /** Of the admin token, the authority's certificate and the database. */
  get folder(): string {
    return join(this.#lab.folder, "server");
  }
  /** Of the programs that fence hosts at datastores. */
  get fenceFolder(): string {
    return join(this.#lab.folder, "fence");
  }
  get namespace(): string {
    return namespaceOf(this.#lab.file.id, "server");
  }
  get process(): ProcessIdentity | null {
    return this.#lab.file.server;
  }

  /** @param listener the socket of its API; default: a new one on the lab's port */
  async start(listener?: Server): Promise<void> {
    const { file, folder, program, logOf, save } = this.#lab;
    const socket = listener ?? (await listenOnLoopback(file.apiPort));
    const fd = (socket as unknown as { _handle: { fd: number } })._handle.fd;
    try {
      file.server = await spawnRole({
        what: "the server",
        namespace: this.namespace,
        hostname: "server",
        folder: join(folder, "hosts/server"),
        log: logOf("server"),
        argv: [
          ...program,
          ...["server", "run", "--data", this.folder, "--fenceFolder", this.fenceFolder],
          ...["--listen", `${serverAddress}:${String(serverPort)}`, "--listen", "fd:3"],
          ...(file.certificateLife === undefined ? [] : ["--certificateLife", file.certificateLife]),
        ],
        socketFd: fd,
      });
    } finally {
      socket.close();
    }
    await save();
  }

  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.process !== null) await endProcess(this.process, signal, 30_000);
  }

  /** Of the private PostgreSQL. */
  async postgresProcess(): Promise<ProcessIdentity | null> {
    const [pid = ""] = await this.#postmaster().catch(() => []);
    return await identifyProcess(Number.parseInt(pid, 10));
  }

  /** Where that listens, for who wants to look into it. */
  async databaseConnection(): Promise<{ host: string; user: string; database: string; port: number }> {
    const [, , , port, host] = await this.#postmaster();
    return { host: host ?? "", port: Number(port), user: "godwit", database: "postgres" };
  }

  /** The lines of its pid file. */
  async #postmaster(): Promise<string[]> {
    return (await readFile(join(this.folder, "database/postmaster.pid"), "utf8")).split("\n");
  }
}

/** A listening socket of this namespace, for the server to inherit. @param port 0: any */
export async function listenOnLoopback(port: number): Promise<Server> {
  const server = createServer();
  server.listen({ host: "127.0.0.1", port });
  await once(server, "listening");
  return server;
}
