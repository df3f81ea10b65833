/** The errors of a client's calls, each about the program that it calls. */
import {
  helloText,
  problemSchema,
  versionsDiffer,
  type Hello,
  type Operation,
} from "@godwit/contract/calling";
import { GodwitError } from "@godwit/contract/errors";
import { jsonOrUndefined } from "./event-stream.ts";
import { cannotBeDone, reasonOf } from "./reasons.ts";

export class Failures {
  readonly #url: string;
  readonly #hello: Hello;
  /** What the other side told of its version with its last answer. */
  peer: Hello | null = null;

  constructor(url: string, hello: Hello) {
    this.#url = url;
    this.#hello = hello;
  }

  /** What the other side refused with. */
  refused(status: number, text: string): GodwitError {
    const problem = problemSchema.safeParse(jsonOrUndefined(text));
    if (!problem.success)
      return this.notUnderstood(`it answered with status ${String(status)}, not as Godwit does`);
    const refusal = GodwitError.fromProblem(problem.data);
    return refusal.code === "ROUTE_UNKNOWN" && this.#peerDiffers
      ? this.notUnderstood("it does not have this operation", refusal)
      : refusal;
  }

  /** An answer that this version cannot read: told as a difference of versions where there is one. */
  notUnderstood(reason: string, cause?: unknown): GodwitError {
    if (this.peer === null || !this.#peerDiffers) return this.failed(reason, cause);
    const versions = { version: helloText(this.peer), ownVersion: helloText(this.#hello) };
    return GodwitError.of("ANSWER_NOT_UNDERSTOOD", { url: this.#url, ...versions, reason }, { cause });
  }

  /** Of a call that was not answered. */
  unanswered(operation: Operation, cause: unknown): GodwitError {
    if (operation.method === "GET" || cannotBeDone(cause)) return this.failed(reasonOf(cause), cause);
    return this.lost(operation, cause);
  }

  failed(reason: string, cause?: unknown): GodwitError {
    return GodwitError.of("CONNECTION_FAILED", { url: this.#url, reason }, { cause });
  }

  /** What was asked for may have been done. */
  lost(operation: Operation, cause: unknown): GodwitError {
    const details = { url: this.#url, what: operation.summary.toLowerCase(), reason: reasonOf(cause) };
    return GodwitError.of("OUTCOME_UNKNOWN", details, { cause });
  }

  get #peerDiffers(): boolean {
    return this.peer !== null && versionsDiffer(this.peer, this.#hello);
  }
}
