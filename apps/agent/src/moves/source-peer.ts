/** The destination's agent as the move's source knows it: the line to it, what it has said, and whether it would do what is asked. */
import type { Hello, MoveOrder } from "@godwit/contract";
import type { SourceInput, SourceState, ToDestination, ToSource } from "@godwit/migration";
import type { Logger } from "pino";
import type { MoveDependencies } from "./dependencies.ts";
import { PeerLink } from "./peer-link.ts";
import { resumedThere } from "./source-beginning.ts";
import type { SourceRecord } from "./source-record.ts";

export class SourcePeer {
  readonly #order: MoveOrder;
  readonly #record: SourceRecord;
  readonly #give: (input: SourceInput) => void;
  readonly #link: PeerLink;
  #hello: Hello | null = null;

  /** @param state of the move, now */
  constructor(
    order: MoveOrder,
    dependencies: MoveDependencies,
    move: { state: () => SourceState; give: (input: SourceInput) => void; record: SourceRecord; log: Logger },
  ) {
    this.#order = order;
    this.#record = move.record;
    this.#give = move.give;
    this.#link = new PeerLink(
      order,
      dependencies,
      {
        onMessage: (message) => {
          this.#note(message);
          move.give({ type: "message", message, atMs: performance.now() });
        },
        onUp: (peer) => {
          this.#hello = peer;
          this.undoWhereItWouldRun(move.state());
          move.give({ type: "peerUp" });
        },
        onDown: () => {
          move.give({ type: "peerDown" });
        },
        onUnsupported: (problem) => {
          const message = { type: "notUnderstood", message: "prepare", problem } as const;
          move.give({ type: "message", message, atMs: performance.now() });
        },
      },
      move.log,
    );
  }

  get isFresh(): boolean {
    return this.#link.isFresh;
  }

  /** How its QEMU is known, by its certificate. */
  get destinationName(): string {
    return this.#link.destinationName;
  }

  /** Lost when the line is down. */
  send(message: ToDestination): void {
    this.#link.send(message);
    if (message.type === "commit") this.#record.moment("committedAtMs");
  }

  /** A guest that stands still does not go to an agent of a version that would let it run. */
  undoWhereItWouldRun(state: SourceState): void {
    const problem = resumedThere(this.#order, state, this.#hello);
    if (problem !== null) this.#give({ type: "cancel", problem });
  }

  /** What was sent is still delivered. */
  close(): void {
    this.#link.close();
  }

  /** What the link and the record learn from its words. */
  #note(message: ToSource): void {
    if (message.type === "prepared") this.#link.expectCertificate(message.certificate);
    else if (message.type === "running" || message.type === "postcopyReceiving") {
      this.#record.guestRuns(message);
      if ("waited" in message) this.#record.figures({ waitedForMemory: message.waited });
    } else if (message.type === "ready") this.#record.moment("completedAtMs");
    else if (message.type === "announced") this.#record.announced(message);
  }
}
