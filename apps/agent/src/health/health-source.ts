/** One kind of evidence of how well a host is; each in a file of its own. */
import type { HealthState } from "@godwit/contract";

export interface Symptom {
  component: string;
  state: HealthState;
  /** As a part of a sentence. */
  evidence: string;
}

export interface HealthSource {
  readonly name: string;
  /**
   * What does not work now. @param nowMs by a clock that is never set
   * @throws SourceAbsent where the host does not have it; anything else where it could not be read
   */
  look: (nowMs: number) => Promise<Symptom[]> | Symptom[];
}

/** The host cannot tell this; its message says why. */
export class SourceAbsent extends Error {}
