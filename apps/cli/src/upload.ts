/** A file of this machine on its way to a datastore. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { readUploadMessage, uploadPieceBytes, uploadWindowBytes, type UploadMessage } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import type { Api } from "./connection.ts";

export interface Upload {
  datastore: string;
  path: string;
  /** That writes it; absent: one that can use the datastore. */
  host?: string | undefined;
}

export interface Uploaded {
  host: string;
  bytes: number;
  sha256: string;
}

/**
 * @param onTaken called with the bytes that are written there, now and then, and with all that there are
 * @throws FILE_UNREADABLE, UPLOAD_FAILED, and what the server refuses with
 */
export async function upload(
  api: Api,
  file: string,
  { datastore, path, host }: Upload,
  onTaken: (bytes: number, of: number) => void,
): Promise<Uploaded> {
  await using source = await open(file).catch((error: unknown) => {
    throw GodwitError.of("FILE_UNREADABLE", { path: file, reason: reasonOf(error) }, { cause: error });
  });
  const stats = await source.stat();
  if (!stats.isFile())
    throw GodwitError.of("FILE_UNREADABLE", { path: file, reason: "it is not a regular file" });
  const { size: bytes } = stats;
  const failed = (reason: string) => GodwitError.of("UPLOAD_FAILED", { datastore, path, reason });
  const query = { path, bytes, ...(host === undefined ? {} : { host }) };
  const line = await api.open("datastoreUpload", { params: { datastore }, query });
  const last = Promise.withResolvers<UploadMessage & { type: "done" }>();
  last.promise.catch(() => undefined); // looked at last
  let [taken, wake] = [0, Promise.withResolvers<undefined>()];
  line.on("message", (data, isBinary) => {
    const message = isBinary ? null : readUploadMessage((data as Buffer).toString("utf8"));
    if (message?.type === "taken") {
      taken = message.bytes;
      onTaken(taken, bytes);
    }
    if (message?.type === "done") last.resolve(message);
    if (message?.type === "ended") last.reject(GodwitError.fromProblem(message.problem));
    wake.resolve(undefined);
  });
  line.on("close", () => {
    last.reject(failed("the connection was lost"));
    wake.resolve(undefined);
  });
  line.resume();
  try {
    const hash = createHash("sha256");
    let sent = 0;
    for await (const piece of source.createReadStream({
      autoClose: false,
      highWaterMark: uploadPieceBytes,
    })) {
      const chunk = piece as Buffer;
      sent += chunk.length;
      if (sent > bytes) throw failed(`${file} grew meanwhile`);
      while (sent - taken > uploadWindowBytes && line.readyState === line.OPEN) {
        wake = Promise.withResolvers();
        await wake.promise;
      }
      if (line.readyState !== line.OPEN) break;
      hash.update(chunk);
      line.send(chunk);
    }
    if (sent < bytes && line.readyState === line.OPEN) throw failed(`${file} shrank meanwhile`);
    const { host: by, sha256 } = await last.promise;
    if (sha256 !== hash.digest("hex")) throw failed(`${file} changed meanwhile`);
    return { host: by, bytes, sha256 };
  } finally {
    line.terminate();
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
