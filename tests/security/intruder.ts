/**
 * A program with a host's certificate that asks an agent for what is not its own: run in a lab's network, it prints what
 * it was answered as JSON. Argument: a request as JSON.
 */
import { readFile } from "node:fs/promises";
import { Client } from "@godwit/client";
import { GodwitError, helloHeaders, peerPath, plainHello, serverOperations } from "@godwit/contract";
import { WebSocket } from "ws";

/** Where the intruder's certificates are, and what it asks for. */
export interface Attempt {
  pki: string;
  /** Sends `prepare` to an agent, on the connection of a move. */
  prepare?: { agentUrl: string; host: string; order: { id: string } };
  /** Asks the server for the leases of its host. */
  server?: { url: string };
}
/** The first message of the agent, or why there was none. */
export interface Outcome {
  answer: unknown;
  refused: string | null;
}

const limitMs = 20_000;

async function attempt({ pki, prepare, server }: Attempt): Promise<Outcome> {
  const read = async (name: string) => await readFile(`${pki}/${name}`, "utf8");
  const tls = {
    ca: await read("ca-cert.pem"),
    cert: await read("host-cert.pem"),
    key: await read("host-key.pem"),
  };
  if (server !== undefined) {
    const client = new Client(serverOperations, {
      ...{ baseUrl: server.url, tls: { ...tls, servername: "godwit-server", unit: "server" } },
    });
    try {
      return { answer: await client.call("leaseListOwn", {}), refused: null };
    } catch (error) {
      return { answer: null, refused: GodwitError.is(error) ? error.code : String(error) };
    }
  }
  if (prepare === undefined) throw new TypeError("nothing to attempt");
  const { agentUrl, host, order } = prepare;
  const options = { ...tls, servername: host, headers: helloHeaders(plainHello), handshakeTimeout: limitMs };
  const socket = new WebSocket(agentUrl.replace(/^https/, "wss") + peerPath(order.id), options);
  return await new Promise<Outcome>((resolve) => {
    socket.on("open", () => {
      socket.send(JSON.stringify({ type: "prepare", order }));
    });
    socket.on("message", (data: Buffer) => {
      resolve({ answer: JSON.parse(data.toString("utf8")), refused: null });
    });
    socket.on("error", (error) => {
      resolve({ answer: null, refused: error.message });
    });
    socket.on("close", (code) => {
      resolve({ answer: null, refused: `closed with ${String(code)}` });
    });
    setTimeout(() => {
      resolve({ answer: null, refused: "no answer" });
    }, limitMs).unref();
  });
}

process.stdout.write(JSON.stringify(await attempt(JSON.parse(process.argv[2] ?? "{}") as Attempt)));
process.exit(0);
