/** Files that come to this host's datastores from outside, over WebSockets of the server's. */
import { randomUUID } from "node:crypto";
import {
  GodwitError,
  problemOfUnexpected,
  type AgentUploadQuery,
  type Problem,
  type UploadMessage,
} from "@godwit/contract";
import type { SocketHandler } from "@godwit/http";
import { keepUpload, mustTakeUpload, removeUnfinishedUploads, type Datastore } from "@godwit/storage";
import type { Logger } from "pino";
import { createWebSocketStream, type WebSocket } from "ws";
import type { Environment } from "./vms/environment.ts";

interface Parts {
  host: string;
  environment: Pick<Environment, "datastore">;
  log: Logger;
}

/** One message tells of so many bytes. */
const tellEveryBytes = 1024 * 1024;

export class Uploads {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @throws UPLOAD_REFUSED, SPACE_SHORT and what is wrong with the datastore, before anything is sent */
  async open(name: string, query: AgentUploadQuery): Promise<SocketHandler> {
    const datastore = await this.#parts.environment.datastore(name);
    await mustTakeUpload(datastore, query);
    return (line) => {
      line.pause();
      this.#take(line, datastore, query).then(
        (sha256) => {
          end(line, { type: "done", host: this.#parts.host, sha256 });
        },
        (error: unknown) => {
          end(line, { type: "ended", problem: this.#problemOf(error) });
        },
      );
    };
  }

  /** What an earlier agent of this host has left unfinished on these datastores. */
  async tidy(datastores: readonly string[]): Promise<void> {
    const { environment, host, log } = this.#parts;
    for (const name of datastores)
      await environment
        .datastore(name)
        .then((datastore) => removeUnfinishedUploads(datastore, host))
        .catch((error: unknown) => {
          log.info({ err: error, datastore: name }, "unfinished uploads could not be looked for");
        });
  }

  async #take(line: WebSocket, datastore: Datastore, query: AgentUploadQuery): Promise<string> {
    const { host } = this.#parts;
    let told = 0;
    const onTaken = (bytes: number) => {
      if (bytes - told < tellEveryBytes && bytes < query.bytes) return;
      told = bytes;
      say(line, { type: "taken", bytes });
    };
    const stream = createWebSocketStream(line);
    stream.on("error", () => undefined); // whoever reads it has it too
    // What is to be said at the end goes over the same line.
    const chunks = stream.iterator({ destroyOnReturn: false });
    return await keepUpload(datastore, { id: randomUUID(), host, ...query }, chunks, onTaken);
  }

  #problemOf(error: unknown): Problem {
    if (GodwitError.is(error)) return error.problem;
    const reference = randomUUID();
    this.#parts.log.error({ err: error, reference }, "an upload failed");
    return problemOfUnexpected(error, reference);
  }
}

const say = (line: WebSocket, message: UploadMessage): void => {
  line.send(JSON.stringify(message), () => undefined);
};

function end(line: WebSocket, message: UploadMessage): void {
  say(line, message);
  line.close(1000);
}
