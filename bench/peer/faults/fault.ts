/** A fault of the campaign. */
import type { ProcessIdentity } from "@godwit/system";
import type { PhaseName } from "./phases.ts";
import type { Role, Scene } from "./scene.ts";

export interface Fault {
  name: string;
  /** Default: all. */
  phases?: readonly PhaseName[];
  begin: (scene: Scene) => Promise<void>;
  /** How long it lasts; null: for good. */
  lastsMs: number | null;
  /** What heals it in time, as the machine's own init system would; not called of one that is for good. */
  end?: (scene: Scene) => Promise<void>;
  /** A process that it stops, which must not be continued when the phase lets go. */
  stops?: (scene: Scene) => ProcessIdentity | null;
  /** The host that it takes, with the QEMU there. */
  takes?: Role;
  /** The host of which it takes only the QEMU. */
  kills?: Role;
}
