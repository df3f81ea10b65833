/**
 * The source's end of a try: makes the connection that QEMU would make, sends and gets full-size packets, and says at
 * which step it ended, in time limits of its own. What the system says of a connection is taken apart here: no answer on
 * the link, a firewall that drops, one that rejects, another machine with the address.
 */
import { connect, type Socket } from "node:net";
import { normalAddress, seenFrom, type PathFault, type PathProbe } from "@godwit/contract";
import { isUnanswered, routeTo, type Route } from "@godwit/network";
import { bulkBytes, connectMs, isProof, marks, proofBytes, proofOf, stallMs } from "./protocol.ts";

interface Target {
  secret: string;
  address: string;
  port: number;
}

class Fault extends Error {
  readonly fault: PathFault;

  constructor(fault: PathFault, reason: string) {
    super(reason);
    this.fault = fault;
  }
}

/** @param ownAddress this host's migration address. @throws PROGRAM_FAILED, PROGRAM_MISSING */
export async function tryPath(target: Target, ownAddress: string): Promise<PathProbe> {
  const address = seenFrom(ownAddress, normalAddress(target.address));
  const route = await routeTo(address);
  const probe: PathProbe = {
    ...{ route: null, fault: null, reason: null },
    ...{ connectMs: null, sendBitsPerSecond: null, receiveBitsPerSecond: null },
  };
  if (route === null) return { ...probe, fault: "noRoute", reason: "the network is unreachable" };
  const { isOwn, ...shown } = route;
  probe.route = shown;
  if (isOwn) return { ...probe, fault: "ownAddress", reason: `${address} is on ${route.link}` };
  try {
    const startedAt = performance.now();
    using connection = new Connection(await connected(address, target.port, route));
    probe.connectMs = performance.now() - startedAt;
    await exchange(connection, target.secret, probe);
    return probe;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { ...probe, fault: error.fault, reason: error.message };
  }
}

async function exchange(connection: Connection, secret: string, probe: PathProbe): Promise<void> {
  connection.send(proofOf(secret, "source"));
  const proof = await connection.receive(proofBytes, () => "foreign");
  if (!isProof(proof, secret, "destination"))
    throw new Fault("foreign", "it does not know the secret of the try");
  connection.send(Buffer.alloc(bulkBytes));
  probe.sendBitsPerSecond = await bestRate(connection, marks / parts, "sendsLost");
  probe.receiveBitsPerSecond = await bestRate(connection, bulkBytes / parts, "receivesLost");
}

/** A busy machine that stands still for a moment says nothing of the network: the best part counts. */
const parts = 4;

/** @param partBytes what tells that another part of the bulk has got through. @param lost the fault when not one does */
async function bestRate(connection: Connection, partBytes: number, lost: PathFault): Promise<number> {
  let best = 0;
  for (let part = 0; part < parts; part += 1) {
    const beganAt = performance.now();
    await connection.receive(partBytes, (received) => (part === 0 && received === 0 ? lost : "broken"));
    const ms = Math.max(performance.now() - beganAt, 0.1);
    best = Math.max(best, Math.round((bulkBytes * 8 * 1000) / parts / ms));
  }
  return best;
}

/** One reader at a time, which gets what it asked for or a fault when nothing new has come for a while. */
class Connection implements Disposable {
  readonly #socket: Socket;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #ended: string | null = null;
  #onChange: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data) => {
      this.#held.push(data);
      this.#heldBytes += data.length;
      this.#onChange();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#end(error.code ?? error.message);
    });
    socket.on("end", () => {
      this.#end("it was closed at the other end");
    });
  }

  send(data: Buffer): void {
    this.#socket.write(data);
  }

  /** @param faultAfter which fault it is when no more comes, by how much of it has come. @throws Fault */
  async receive(bytes: number, faultAfter: (received: number) => PathFault): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const stalled = setTimeout(() => {
      const what = `nothing arrived for ${String(stallMs / 1000)} s, after ${String(this.#heldBytes)} bytes`;
      reject(new Fault(faultAfter(this.#heldBytes), what));
    }, stallMs);
    this.#onChange = () => {
      stalled.refresh();
      if (this.#heldBytes >= bytes) resolve(undefined);
      else if (this.#ended !== null) {
        // A connection that ends has not lost its packets, and says nothing of who ended it.
        reject(new Fault("broken", `the connection ended: ${this.#ended}`));
      }
    };
    this.#onChange();
    try {
      await promise;
    } finally {
      clearTimeout(stalled);
      this.#onChange = () => undefined;
    }
    const all = Buffer.concat(this.#held);
    this.#held = all.length > bytes ? [all.subarray(bytes)] : [];
    this.#heldBytes = all.length - bytes;
    return all.subarray(0, bytes);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #end(reason: string): void {
    this.#ended ??= reason;
    this.#onChange();
  }
}

/** @throws Fault */
async function connected(address: string, port: number, route: Route): Promise<Socket> {
  const socket = connect({ host: address, port, noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const limit = setTimeout(() => {
    reject(new Error("ETIMEDOUT"));
  }, connectMs);
  socket.once("connect", () => {
    resolve(socket);
  });
  socket.once("error", reject);
  try {
    return await promise;
  } catch (error) {
    socket.on("error", () => undefined);
    socket.destroy();
    const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new Fault(await faultOf(code, address, route), code);
  } finally {
    clearTimeout(limit);
  }
}

/** Of a connection that was not made. */
async function faultOf(code: string, address: string, { link, gateway }: Route): Promise<PathFault> {
  switch (code) {
    case "ECONNREFUSED":
      return "rejected";
    case "EPERM":
    case "EACCES":
      return "forbidden";
    case "ENETUNREACH":
      return "noRoute";
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
      if (await isUnanswered(gateway ?? address, link)) return "noNeighbour";
      return code === "ETIMEDOUT" ? "filtered" : "rejected";
    default:
      return "broken";
  }
}
