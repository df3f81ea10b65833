/** What changes of a VM's devices work with. */
import type { ImageCopy, Vm, VmId } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import type { Datastore } from "@godwit/storage";
import type { Logger } from "pino";
import type { AgentConfig } from "../../config.ts";
import type { Leases } from "../../leases/leases.ts";
import type { Processes } from "../../qemu/processes.ts";
import type { Claims } from "../claims.ts";
import type { Environment } from "../environment.ts";

export interface DevicesParts {
  config: Pick<AgentConfig, "name" | "qemu">;
  environment: Environment;
  processes: Pick<Processes, "of">;
  leases: Pick<Leases, "acquire" | "releaseUnlessShared" | "writesTo" | "mustCount">;
  claims: Claims;
  onCopy: (vm: VmId, copy: ImageCopy) => void;
  log: Logger;
}

/** A VM that is claimed, and that nobody else runs. */
export interface HeldVm {
  /** As `vm.json` has it. */
  vm: Vm;
  home: Datastore;
  /** Null: it does not run. */
  process: QemuProcess | null;
}
