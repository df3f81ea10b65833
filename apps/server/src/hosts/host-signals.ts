/** What a host's agent tells of what goes on there, and whether its line is up, for those who wait for it. */
import { EventEmitter, once } from "node:events";
import type { ImageCopy, MoveId, MoveRecord, TaskId, VmId } from "@godwit/contract";

export class HostSignals {
  readonly #emitter = new EventEmitter<{
    move: [MoveRecord];
    imageCopy: [string, ImageCopy];
    up: [];
  }>();

  constructor() {
    this.#emitter.setMaxListeners(0);
  }

  moved(record: MoveRecord): void {
    this.#emitter.emit("move", record);
  }
  copied(vmId: string, copy: ImageCopy): void {
    this.#emitter.emit("imageCopy", vmId, copy);
  }
  cameUp(): void {
    this.#emitter.emit("up");
  }

  /** Calls back with every change of a move of this host until disposed. */
  onMove(id: MoveId, heard: (record: MoveRecord) => void): Disposable {
    const listener = (record: MoveRecord) => {
      if (record.id === id) heard(record);
    };
    this.#emitter.on("move", listener);
    return {
      [Symbol.dispose]: () => {
        this.#emitter.off("move", listener);
      },
    };
  }

  /** Calls back with how far the copy of an image is that this host makes, for a VM or a task, until disposed. */
  onImageCopy(vmId: VmId | TaskId, heard: (copy: ImageCopy) => void): Disposable {
    const listener = (id: string, copy: ImageCopy) => {
      if (id === vmId) heard(copy);
    };
    this.#emitter.on("imageCopy", listener);
    return {
      [Symbol.dispose]: () => {
        this.#emitter.off("imageCopy", listener);
      },
    };
  }

  onUp(heard: () => void): Disposable {
    this.#emitter.on("up", heard);
    return {
      [Symbol.dispose]: () => {
        this.#emitter.off("up", heard);
      },
    };
  }

  /** Resolves when the line comes up (again), or when the signal aborts. */
  async comesUp(signal: AbortSignal): Promise<void> {
    await once(this.#emitter, "up", { signal }).catch(() => undefined);
  }
}
