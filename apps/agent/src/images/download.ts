/**
 * A download over HTTPS, or over HTTP where its checksum is known. The address that a name leads to is judged, and then that
 * very address is asked, also after each redirect. Nothing is unpacked, and no proxy is asked.
 */
import { lookup } from "node:dns/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP, type BlockList } from "node:net";
import { networkInterfaces } from "node:os";
import { GodwitError } from "@godwit/contract";
import type { ImageStream } from "@godwit/storage";
import { mayAsk } from "./address-guard.ts";

const mostRedirects = 5;
/** Without a byte for so long it has failed. */
const silentLimitMs = 60_000;

export interface Download {
  image: string;
  url: string;
  host: string;
  /** Without one, nothing is fetched without encryption. */
  hasChecksum: boolean;
  allowed: BlockList;
  /** Certificates of authorities that are trusted beside the usual ones, PEM. */
  ca: string | null;
  signal: AbortSignal;
}

/** @throws IMAGE_DOWNLOAD_FORBIDDEN, IMAGE_DOWNLOAD_FAILED; the stream throws the latter, or the signal's reason */
export async function download(what: Download): Promise<ImageStream> {
  let url = new URL(what.url);
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const answer = await ask(what, url);
    const { statusCode = 0, headers } = answer;
    if (statusCode === 200) {
      if ((headers["content-encoding"] ?? "identity") !== "identity") {
        answer.destroy();
        throw failed(
          what,
          `it is sent packed (${String(headers["content-encoding"])}), which was not asked for`,
        );
      }
      const length = headers["content-length"];
      const totalBytes = length === undefined ? null : Number(length);
      return { chunks: chunksOf(what, answer, totalBytes), totalBytes, close: () => answer.destroy() };
    }
    answer.destroy();
    if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined)
      throw failed(what, `the server answered ${String(statusCode)} ${answer.statusMessage ?? ""}`.trim());
    url = redirected(what, url, headers.location);
  }
  throw failed(what, `it is redirected more than ${String(mostRedirects)} times`);
}

function redirected(what: Download, from: URL, location: string): URL {
  if (!URL.canParse(location, from.href)) throw failed(what, "it is redirected to what is no address");
  const url = new URL(location, from.href);
  if (url.username !== "" || url.password !== "")
    throw forbidden(what, "it is redirected to an address with a user and password");
  return url;
}

async function ask(what: Download, url: URL): Promise<IncomingMessage> {
  const { protocol } = url;
  if (protocol !== "https:" && protocol !== "http:")
    throw forbidden(what, `it is redirected to ${protocol}, and only https and http are asked`);
  if (protocol === "http:" && !what.hasChecksum)
    throw forbidden(what, "it is redirected to http, and without a checksum nobody could tell what is sent");
  const name = url.hostname.replace(/^\[|\]$/g, "");
  const address = await addressOf(what, name);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const options = {
    ...{
      host: address,
      port: url.port === "" ? undefined : Number(url.port),
      path: `${url.pathname}${url.search}`,
    },
    headers: { host: url.host, "accept-encoding": "identity", "user-agent": "godwit" },
    ...{ signal: what.signal, timeout: silentLimitMs, agent: false },
  };
  const asked =
    protocol === "http:"
      ? httpRequest(options, resolve)
      : httpsRequest(
          {
            ...options,
            // An address has no server name; its certificate is compared with it all the same.
            ...(isIP(name) === 0 ? { servername: name } : {}),
            ...(what.ca === null ? {} : { ca: what.ca }),
          },
          resolve,
        );
  asked.on("error", (error) => {
    reject(what.signal.aborted ? (what.signal.reason as Error) : failed(what, error.message, error));
  });
  asked.on("timeout", () =>
    asked.destroy(new Error(`it did not answer for ${String(silentLimitMs / 1000)} s`)),
  );
  asked.end();
  return await promise;
}

/** @throws IMAGE_DOWNLOAD_FORBIDDEN where none of its addresses may be asked */
async function addressOf(what: Download, name: string): Promise<string> {
  const found =
    isIP(name) === 0
      ? await lookup(name, { all: true }).catch((error: unknown) => {
          throw failed(
            what,
            `the name ${name} is not known (${(error as NodeJS.ErrnoException).code ?? ""})`,
            error,
          );
        })
      : [{ address: name }];
  const own = Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []);
  const good = found.find(({ address }) => mayAsk(address, what.allowed, own));
  if (good !== undefined) return good.address;
  const addresses = found.map(({ address }) => address).join(", ");
  throw forbidden(
    what,
    `${name === addresses ? name : `${name} (${addresses})`} is no address of the public Internet, or this host's own`,
  );
}

async function* chunksOf(
  what: Download,
  answer: IncomingMessage,
  totalBytes: number | null,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  try {
    for await (const chunk of answer) {
      bytes += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  } catch (error) {
    if (what.signal.aborted) throw what.signal.reason;
    throw failed(
      what,
      `the connection ended after ${String(bytes)} bytes: ${(error as Error).message}`,
      error,
    );
  }
  if (totalBytes !== null && bytes !== totalBytes)
    throw failed(what, `${String(bytes)} bytes came of ${String(totalBytes)}`);
}

const failed = ({ image, url, host }: Download, reason: string, cause?: unknown): GodwitError =>
  GodwitError.of("IMAGE_DOWNLOAD_FAILED", { image, url, host, reason: reason.slice(0, 300) }, { cause });
const forbidden = ({ image, url, host }: Download, reason: string): GodwitError =>
  GodwitError.of("IMAGE_DOWNLOAD_FORBIDDEN", { image, url, host, reason });
