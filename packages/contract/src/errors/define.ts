/**
 * What an error of the catalogue is made of. An error is data: a stable code, one sentence for people
 * that names the objects, what to do about it, and whether trying again can help.
 */

/** `never`: the request itself is wrong. `later`: it may pass by itself. `after-fix`: someone must change something first. */
export type Retry = "never" | "later" | "after-fix";

export interface ErrorDefinition<Details extends object> {
  /** HTTP status of the answer that carries it. */
  status: number;
  retry: Retry;
  /** One sentence: what is wrong, with which object, where. */
  sentence: (details: Details) => string;
  /** What to do about it. */
  remedy: (details: Details) => string;
}

export function define<Details extends object>(
  status: number,
  retry: Retry,
  sentence: (details: Details) => string,
  remedy: (details: Details) => string,
): ErrorDefinition<Details> {
  return { status, retry, sentence, remedy };
}
