/** What the moves of this host depend on. */
import type { Hello } from "@godwit/contract";
import type { Hypervisor } from "@godwit/hypervisor";
import type { Logger } from "pino";
import type { HostCommands } from "../commands/host-commands.ts";
import type { AgentConfig } from "../config.ts";
import type { EventLog } from "../event-log.ts";
import type { Leases } from "../leases/leases.ts";
import type { Lockspaces } from "../leases/lockspaces.ts";
import type { CurrentIdentity } from "../identity.ts";
import type { Members } from "../members.ts";
import type { FurtherLinks } from "../migration-path/further-links.ts";
import type { DepartedVms } from "../networks/departed-vms.ts";
import type { Claims } from "../vms/claims.ts";
import type { Environment } from "../vms/environment.ts";
import type { MemoryAdmission } from "../vms/memory-admission.ts";
import type { Processes } from "../qemu/processes.ts";
import type { PausePoints } from "./pause-points.ts";

export interface MoveDependencies {
  config: AgentConfig;
  identity: CurrentIdentity;
  members: Pick<Members, "has">;
  /** What this agent tells others of its version. */
  hello: Hello;
  hypervisor: Hypervisor;
  furtherLinks: Pick<FurtherLinks, "areUsed">;
  environment: Environment;
  processes: Processes;
  claims: Claims;
  leases: Leases;
  memory: Pick<MemoryAdmission, "reserve">;
  commands: Pick<HostCommands, "mustTakeVms">;
  lockspaces: Lockspaces;
  departed: Pick<DepartedVms, "watch">;
  events: EventLog;
  log: Logger;
  /** Where moves are held, in tests; else null. */
  pauses: PausePoints | null;
}
