/** Prints what a TCP port says until it closes: `read-port.ts ADDRESS PORT`. Run in the clients' namespace. */
import { connect } from "node:net";

const [address = "", port = ""] = process.argv.slice(2);
const socket = connect({ host: address, port: Number(port) });
socket.pipe(process.stdout);
socket.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
