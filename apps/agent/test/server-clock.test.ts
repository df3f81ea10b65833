/** A host that joins looks at the server's clock first, over the connection that it looks at the certificate with. */
import { once } from "node:events";
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import type { AddressInfo } from "node:net";
import { createAuthority } from "@godwit/pki";
import { afterEach, expect, test } from "vitest";
import { checkServerClock } from "../src/server-clock.ts";

let server: Server | undefined;
afterEach(() => server?.close());

/** A server that answers with these lines. */
async function meet(answer: (socket: TLSSocket) => void): Promise<TLSSocket> {
  const { certificatePem, keyPem } = await createAuthority("test");
  server = createServer({ cert: certificatePem, key: keyPem }, (socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      answer(socket);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await once(socket, "secureConnect");
  return socket;
}

const telling = (date: string) => (socket: TLSSocket) => {
  socket.end(`HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nDate: ${date}\r\nConnection: close\r\n\r\n`);
};
const asked = { host: "c", url: "https://10.0.0.1:8443", limitMs: 60_000 };

test("a clock that is a day ahead or behind is told with both times, before anything else is asked", async () => {
  for (const apartMs of [86_400_000, -86_400_000]) {
    const socket = await meet(telling(new Date(Date.now() + apartMs).toUTCString()));
    await expect(checkServerClock(socket, asked)).rejects.toMatchObject({
      code: "JOIN_CLOCKS_APART",
      message: expect.stringMatching(
        /^Host c did not join: its clock read .* read .* 2[34] h \d+ min apart/,
      ) as string,
    });
    socket.destroy();
    server?.close();
  }
});

test("clocks that agree to the half minute are not apart", async () => {
  const socket = await meet(telling(new Date(Date.now() + 20_000).toUTCString()));
  await checkServerClock(socket, asked);
  socket.destroy();
});

test("of a server that does not tell its time, tells nonsense, floods or breaks off nothing is concluded", async () => {
  const answers: ((socket: TLSSocket) => void)[] = [
    (socket) => socket.end("HTTP/1.1 204 No Content\r\n\r\n"),
    telling("yesterday"),
    (socket) => socket.end("x".repeat(1 << 20)),
    (socket) => socket.destroy(),
    () => undefined,
  ];
  for (const answer of answers) {
    const socket = await meet(answer);
    await checkServerClock(socket, { ...asked, limitMs: 300 });
    socket.destroy();
    server?.close();
  }
});
