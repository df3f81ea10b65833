/** Every fault of the campaign. */
import type { Fault } from "../fault.ts";
import { diskFaults } from "./disks.ts";
import { hostFaults } from "./hosts.ts";
import { linkFaults } from "./links.ts";
import { processFaults } from "./processes.ts";

export const faults: readonly Fault[] = [...processFaults, ...linkFaults, ...diskFaults, ...hostFaults];
