/** Images that this host fetches into the library, and deletes from it. */
import { readFile } from "node:fs/promises";
import { rootCertificates } from "node:tls";
import { GodwitError, originText, type ImageFile, type ImageOrder, type TaskId } from "@godwit/contract";
import {
  deleteImage,
  keepImage,
  keptImage,
  openInside,
  removeUnfinished,
  type Datastore,
  type ImageStream,
} from "@godwit/storage";
import { userIds } from "@godwit/system";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import type { EventLog } from "../event-log.ts";
import type { Environment } from "../vms/environment.ts";
import { SharedWork } from "../vms/shared-work.ts";
import { networksOf } from "./address-guard.ts";
import { download } from "./download.ts";

interface Parts {
  config: Pick<AgentConfig, "name" | "images"> & { qemu: Pick<AgentConfig["qemu"], "user"> };
  environment: Pick<Environment, "datastore">;
  events: EventLog;
  log: Logger;
}

export class Images {
  readonly #parts: Parts;
  readonly #adding = new SharedWork<ImageFile>();
  readonly #cancels = new Map<TaskId, AbortController>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Asked again while it goes on, or after it, it answers the same.
   * @throws LIBRARY_IMAGE_REFUSED, LIBRARY_IMAGE_CHECKSUM, IMAGE_DOWNLOAD_FAILED, IMAGE_DOWNLOAD_FORBIDDEN, IMAGE_ADD_CANCELLED, SPACE_SHORT,
   *   and what is wrong with a datastore; nothing is left then
   */
  async add(order: ImageOrder): Promise<ImageFile> {
    return await this.#adding.do(order.id, () => this.#add(order));
  }

  /** One that is not added now is passed over. */
  cancel(id: TaskId): void {
    this.#cancels.get(id)?.abort();
  }

  async delete(datastore: string, path: string): Promise<void> {
    await deleteImage(await this.#parts.environment.datastore(datastore), path);
  }

  /** What an earlier agent of this host has left unfinished on these datastores. */
  async tidy(datastores: readonly string[]): Promise<void> {
    const { config, environment, log } = this.#parts;
    for (const name of datastores)
      await environment
        .datastore(name)
        .then((datastore) => removeUnfinished(datastore, config.name))
        .catch((error: unknown) => {
          log.info({ err: error, datastore: name }, "unfinished images could not be looked for");
        });
  }

  async #add(order: ImageOrder): Promise<ImageFile> {
    const { config, environment, events } = this.#parts;
    const { id, name, from, format } = order;
    const datastore = await environment.datastore(order.datastore);
    const image = {
      ...{ id, name, format, origin: originText(from), host: config.name, checksum: from.checksum },
      mostBytes: config.images.largestGib * 2 ** 30,
      user: await userIds(config.qemu.user),
      onCopy: (copy: Parameters<Parameters<typeof keepImage>[1]["onCopy"]>[0]) => {
        events.append("image.fetched", { kind: "image", id }, { copy });
      },
    };
    const kept = await keptImage(datastore, image);
    if (kept !== null) return kept;
    const cancel = new AbortController();
    this.#cancels.set(id, cancel);
    try {
      return await keepImage(datastore, image, await this.#open(order, cancel.signal));
    } catch (error) {
      if (cancel.signal.aborted)
        throw GodwitError.of("IMAGE_ADD_CANCELLED", { image: name }, { cause: error });
      throw error;
    } finally {
      this.#cancels.delete(id);
    }
  }

  async #open({ name: image, from }: ImageOrder, signal: AbortSignal): Promise<ImageStream> {
    const { config, environment } = this.#parts;
    if (!("url" in from))
      return await fileStream(await environment.datastore(from.datastore), image, from.path, signal);
    const { allow, caFile } = config.images;
    const ca = caFile === undefined ? null : [await readFile(caFile, "utf8"), ...rootCertificates].join("\n");
    return await download({
      ...{ image, url: from.url, host: config.name, hasChecksum: from.checksum !== undefined },
      ...{ allowed: networksOf(allow), ca, signal },
    });
  }
}

async function fileStream(
  datastore: Datastore,
  image: string,
  path: string,
  signal: AbortSignal,
): Promise<ImageStream> {
  const refused = (reason: string, cause?: unknown) =>
    GodwitError.of(
      "LIBRARY_IMAGE_REFUSED",
      { image, origin: `${datastore.config.name}:${path}`, reason },
      { cause },
    );
  if ((await datastore.look(path)) !== "file") throw refused("is no file of the datastore itself");
  const file = await openInside(datastore, path, { vm: image, disk: image }).catch((error: unknown) => {
    throw refused("is no file of the datastore itself", error);
  });
  const { size: totalBytes } = await file.stat();
  const chunks = file.createReadStream({ highWaterMark: 1048576, signal });
  chunks.on("error", () => undefined); // whoever reads it has it too
  return { chunks, totalBytes, close: () => chunks.destroy() };
}
