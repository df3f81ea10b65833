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
  /** The vSphere fault that says the same, so that people who know it can search for it. */
  vsphereFault: ((details: Details) => string) | null;
}

/** @param vsphereFault where vSphere has a fault for it: its name, or how the name follows from the details */
export function define<Details extends object>(
  status: number,
  retry: Retry,
  sentence: (details: Details) => string,
  remedy: (details: Details) => string,
  vsphereFault: string | ((details: Details) => string) | null = null,
): ErrorDefinition<Details> {
  const fault = typeof vsphereFault === "string" ? () => vsphereFault : vsphereFault;
  return { status, retry, sentence, remedy, vsphereFault: fault };
}
