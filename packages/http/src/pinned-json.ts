/**
 * Asks a service for JSON over HTTPS whose certificate no authority has signed, as those of BMCs: it is known by its fingerprint, which is
 * compared before a word is sent. What the service says is bounded in size and time, and leads to no other service: redirects are refused,
 * and so are links that leave it.
 */
import { request } from "node:http";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { once } from "node:events";

export interface PinnedService {
  /** `https://…`; nothing else. */
  url: string;
  user: string;
  password: string;
  /** SHA-256 of its certificate, in hexadecimal digits; null: its certificate must be signed by an authority that this machine trusts. */
  fingerprint: string | null;
}

export interface JsonAnswer {
  status: number;
  /** Null: it said nothing. */
  body: unknown;
}

const mostBytes = 2 * 2 ** 20;
const limitMs = 20_000;

/** A fingerprint as people write it: with colons or without. */
export const plainFingerprint = (text: string): string => text.replaceAll(":", "").toLowerCase();

/**
 * @param path on the service, like the links that it gives
 * @throws Error with a reason for people: it does not answer in time, has another certificate, or says what is not JSON
 */
export async function askPinned(
  service: PinnedService,
  path: string,
  { method = "GET", body }: { method?: "GET" | "POST"; body?: object } = {},
): Promise<JsonAnswer> {
  const url = linkOn(service.url, path);
  const signal = AbortSignal.timeout(limitMs);
  const socket = await connected(url, service.fingerprint, signal);
  try {
    const text = body === undefined ? null : JSON.stringify(body);
    const call = request({
      ...{ createConnection: () => socket, host: url.hostname, port: url.port, method, signal },
      path: url.pathname + url.search,
      auth: `${service.user}:${service.password}`,
      headers: {
        accept: "application/json",
        "odata-version": "4.0",
        ...(text === null
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
      },
    });
    call.end(text ?? undefined);
    const [response] = (await once(call, "response", { signal })) as [
      AsyncIterable<Buffer> & { statusCode?: number },
    ];
    const status = response.statusCode ?? 0;
    if (status >= 300 && status < 400) throw new Error("it sends callers elsewhere, which is not followed");
    return { status, body: jsonOf(await read(response)) };
  } catch (error) {
    if (signal.aborted)
      throw new Error(`it did not answer within ${String(limitMs / 1000)} s`, { cause: error });
    throw error;
  } finally {
    socket.destroy();
  }
}

/** @throws Error when the link leaves the service */
function linkOn(base: string, path: string): URL {
  const service = new URL(base);
  const url = new URL(path, service);
  if (service.protocol !== "https:") throw new Error("its address does not begin with https://");
  if (url.origin !== service.origin) throw new Error("it gives a link that leads to another service");
  return url;
}

async function connected(url: URL, fingerprint: string | null, signal: AbortSignal): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const socket = connectTls({
    ...{ host, port: Number(url.port || 443), rejectUnauthorized: fingerprint === null },
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
  });
  try {
    await once(socket, "secureConnect", { signal });
    const shown = plainFingerprint(socket.getPeerCertificate().fingerprint256);
    if (fingerprint !== null && shown !== plainFingerprint(fingerprint))
      throw new Error(`its certificate has the fingerprint ${shown}, which is not the one that is expected`);
    return socket;
  } catch (error) {
    socket.destroy();
    if (signal.aborted)
      throw new Error(`it did not answer within ${String(limitMs / 1000)} s`, { cause: error });
    throw error;
  }
}

async function read(response: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`it says more than ${String(mostBytes)} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function jsonOf(text: string): unknown {
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error("what it says is not JSON", { cause: error });
  }
}
