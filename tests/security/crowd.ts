/**
 * A crowd without certificates, for a lab: opens so many connections, asks each for a WebSocket and never ends its side.
 * Arguments: an https URL, how many. Says a line when all were tried; holds what it got until it is ended.
 */
import { connect as connectTcp } from "node:net";
import { connect } from "node:tls";

const [url = "", count = "0"] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const upgrade = [
  "GET /peer/v1/moves/11111111-1111-4111-8111-111111111111 HTTP/1.1",
  ...["Host: here", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
  ...["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", ""],
].join("\r\n");

async function come(): Promise<void> {
  await new Promise<void>((resolve) => {
    const tcp = connectTcp({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port),
      allowHalfOpen: true,
    });
    const socket = connect({ socket: tcp, rejectUnauthorized: false });
    const settled = () => {
      resolve();
    };
    tcp.on("error", settled);
    socket.on("error", settled);
    socket.on("secureConnect", () => {
      socket.write(upgrade, settled);
    });
    setTimeout(settled, 5000);
  });
}

await Promise.all(Array.from({ length: Number(count) }, come));
process.stdout.write("all have come\n");
setInterval(() => undefined, 60_000);
