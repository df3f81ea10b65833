/**
 * The time of a server that a host is about to join, from the header `Date` that every HTTP server sends. Its certificate may
 * not be valid yet for a host whose clock is wrong, so this is read before any certificate's time is looked at.
 */
import type { TLSSocket } from "node:tls";
import { GodwitError, isApart, readClock } from "@godwit/contract";

const mostHeaderBytes = 16 * 1024;

/**
 * @param socket to the server, which was found to be the token's; nothing was sent on it
 * @param limitMs after which a server that does not answer counts as one whose clock is not known
 * @throws JOIN_CLOCKS_APART
 */
export async function checkServerClock(
  socket: TLSSocket,
  { host, url, limitMs }: { host: string; url: string; limitMs: number },
): Promise<void> {
  const fromMs = Date.now();
  const date = await askDate(socket, new URL(url).host, limitMs);
  // The header tells whole seconds.
  if (date === null || Number.isNaN(Date.parse(date))) return;
  const clock = readClock(new Date(Date.parse(date)).toISOString(), { fromMs, toMs: Date.now() });
  if (!isApart(clock)) return;
  const times = { hostAt: clock.ownAt, serverAt: clock.otherAt, aheadMs: -clock.aheadMs };
  throw GodwitError.of("JOIN_CLOCKS_APART", { host, url, ...times });
}

async function askDate(socket: TLSSocket, host: string, limitMs: number): Promise<string | null> {
  socket.write(`HEAD / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  let text = "";
  const stop = setTimeout(() => {
    socket.destroy();
  }, limitMs);
  try {
    for await (const chunk of socket.setEncoding("latin1") as AsyncIterable<string>) {
      text += chunk;
      if (text.includes("\r\n\r\n") || text.length > mostHeaderBytes) break;
    }
  } catch {
    return null; // what is wrong with the server, the join itself will tell
  } finally {
    clearTimeout(stop);
  }
  return /\r\ndate: ([^\r]+)/i.exec(text)?.[1] ?? null;
}
