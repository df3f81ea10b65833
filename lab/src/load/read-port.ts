/**
 * Prints what a TCP port says until it closes: `read-port.ts ADDRESS PORT [LINE]`, which is said first. Run in the clients' namespace. A guest
 * that boots opens its ports when it can and tells nobody: until it does, it is tried again.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const [address = "", port = "", line] = process.argv.slice(2);
const patienceMs = 60_000;
const retryMs = 200;

for (const until = performance.now() + patienceMs; ;) {
  const socket = connect({ host: address, port: Number(port) });
  try {
    await once(socket, "connect");
    if (line !== undefined) socket.write(`${line}\n`);
    socket.pipe(process.stdout);
    await once(socket, "close");
    break;
  } catch (error) {
    if (performance.now() > until) throw error;
    await sleep(retryMs);
  }
}
