/** What the handlers of the API work with. */
import type { Store } from "@godwit/store";
import type { AuthorityRotation } from "./authority/rotation.ts";
import type { Consoles } from "./consoles/consoles.ts";
import type { ChapSecrets } from "./datastores/chap-secrets.ts";
import type { DataFolder } from "./data-folder.ts";
import type { HostAccess } from "./fencing/host-access.ts";
import type { Activities } from "./moves/activities.ts";
import type { HostLinks } from "./hosts/host-links.ts";
import type { Balancer } from "./balance/balancer.ts";
import type { Restarter } from "./restart/restarter.ts";
import type { PowerControls } from "./power/power-controls.ts";
import type { Admission } from "./pools/admission.ts";
import type { CpuLimitOrders } from "./pools/cpu-limits.ts";
import type { Planner } from "./pools/planner.ts";
import type { TaskRunner } from "./tasks/task-runner.ts";

export interface Services {
  store: Store;
  authority: AuthorityRotation;
  hosts: HostLinks;
  activities: Activities;
  tasks: TaskRunner;
  consoles: Consoles;
  power: PowerControls;
  chapSecrets: ChapSecrets;
  access: HostAccess;
  planner: Planner;
  admission: Admission;
  cpuLimits: CpuLimitOrders;
  balancer: Balancer;
  restarter: Restarter;
  data: DataFolder;
  /** How long a certificate counts. */
  certificateDays: number;
}
