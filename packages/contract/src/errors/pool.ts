/** Errors about pools and about VMs that follow a pool's baseline. */
import { theBaseline } from "./baseline-name.ts";
import { define } from "./define.ts";

export const poolErrors = {
  POOL_UNKNOWN: define<{ pool: string; known: string[] }>(
    404,
    "never",
    (d) => `There is no pool ${d.pool}.`,
    (d) =>
      d.known.length === 0 ? "Create one: godwit pool create NAME" : `Known pools: ${d.known.join(", ")}.`,
  ),
  POOL_EXISTS: define<{ pool: string }>(
    409,
    "never",
    (d) => `A pool ${d.pool} already exists.`,
    () => "Choose another name.",
  ),
  POOL_NOT_EMPTY: define<{ pool: string; hosts: string[] }>(
    409,
    "after-fix",
    (d) => `Pool ${d.pool} still has hosts: ${d.hosts.join(", ")}.`,
    (d) => `Remove them from it first: godwit pool remove-host ${d.pool} HOST`,
  ),
  POOL_CHANGED: define<{ pool: string }>(
    409,
    "later",
    (d) => `Pool ${d.pool} was changed by someone else in the meantime.`,
    () => "Look at the pool (godwit pool show) and try again.",
  ),
  HOST_IN_OTHER_POOL: define<{ host: string; pool: string; other: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} is in pool ${d.other}; a host is in one pool at most.`,
    (d) => `Remove it from there first: godwit pool remove-host ${d.other} ${d.host}`,
  ),
  HOST_NOT_IN_POOL: define<{ host: string; pool: string; known: string[] }>(
    404,
    "never",
    (d) => `Host ${d.host} is not in pool ${d.pool}.`,
    (d) =>
      d.known.length === 0
        ? `Pool ${d.pool} has no hosts: godwit pool add-host ${d.pool} HOST`
        : `Hosts of pool ${d.pool}: ${d.known.join(", ")}.`,
  ),
  VM_NOT_PLANNED: define<{ vm: string; pool: string; state: string; host: string }>(
    409,
    "never",
    (d) =>
      `VM ${d.vm} is ${d.state} on host ${d.host}; the plan of pool ${d.pool} is of VMs that run on its hosts.`,
    (d) => `See where it is: godwit vm show ${d.vm}`,
  ),
  POOL_PLAN_LATE: define<{ pool: string; seconds: number }>(
    503,
    "later",
    (d) => `The plan of pool ${d.pool} was not made within ${String(d.seconds)} s.`,
    () => "Try again when the server has less to do; a smaller pool is planned sooner.",
  ),
  POOL_PLAN_FAILED: define<{ pool: string; reason: string }>(
    500,
    "later",
    (d) => `The plan of pool ${d.pool} could not be made: ${d.reason}.`,
    () => "Try again; if it fails each time, report it with the server's log.",
  ),
  POOL_PLANS_TOO_MANY: define<{ pool: string; most: number }>(
    429,
    "later",
    (d) => `${String(d.most)} plans of pool ${d.pool} wait to be made already.`,
    () => "Try again when they are made.",
  ),
  POOL_ADMISSION_REFUSED: define<{ vm: string; host: string; pool: string; failing: string; left: string[] }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} is not admitted to host ${d.host}: if host ${d.failing} failed, no other host of pool ${d.pool} could take ${d.left.length === 0 ? "its VMs" : someOf(d.left)}.`,
    (d) =>
      `Join another host to the pool, end the maintenance of one, stop VMs, use --force for this VM, or start VMs without this reserve: godwit pool set ${d.pool} --admission off`,
    "InsufficientFailoverResourcesFault",
  ),
  DESTINATION_BASELINE_EXCEEDED: define<{
    vm: string;
    from: string;
    host: string;
    mode: string;
    features: string[];
  }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} cannot go from ${d.from} to ${d.host}: its guest sees more than ${theBaseline(d.mode)} of the pool that ${d.host} is in: ${d.features.join(", ")}.`,
    (d) =>
      `Power the VM off and on again with ${theBaseline(d.mode)} or a lower one (evcMode in its description, or on a host of that pool), or raise the pool's EVC mode.`,
    "FeatureRequirementsNotMet",
  ),
  DESTINATION_BASELINE_UNDECIDED: define<{ vm: string; from: string; host: string; mode: string }>(
    409,
    "after-fix",
    (d) =>
      `Whether VM ${d.vm} fits ${theBaseline(d.mode)} of the pool that ${d.host} is in is not known: it was powered on at ${d.from} by an older Godwit, which did not record the CPU features of its guest.`,
    () => "Power the VM off and on again, then move it.",
    "CpuCompatibilityUnknown",
  ),
  VM_CPU_REFUSED: define<{ vm: string; host: string; count: number }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} cannot be powered on at host ${d.host} with the CPU that it requires: ${String(d.count)} ${d.count === 1 ? "reason" : "reasons"}.`,
    () => "Each finding says what is wrong, where, and what to do.",
  ),
  VM_CPU_ABOVE_BASELINE: define<{ vm: string; host: string; mode: string; features: string[] }>(
    409,
    "after-fix",
    (d) =>
      `The CPU requested for VM ${d.vm} has more features than ${theBaseline(d.mode)} of the pool of host ${d.host}: ${d.features.join(", ")}.`,
    () =>
      "Remove the model or the features from the VM's description, raise the pool's EVC mode, or use a host outside the pool.",
    "FeatureRequirementsNotMet",
  ),
  VM_CPU_NOT_GIVEN: define<{ vm: string; host: string; cpu: string; version: string; features: string[] }>(
    409,
    "after-fix",
    (d) =>
      `QEMU ${d.version} on host ${d.host} cannot provide VM ${d.vm} with its CPU ${d.cpu}: ${d.features.join(", ")}.`,
    (d) =>
      `Start it on another host, ask for less in its description (model, features, masks, EVC mode) or lower the pool's mode, or see what ${d.host} has: godwit cpu report --host ${d.host}`,
    "FeatureRequirementsNotMet",
  ),
  /** `what`: what was not done, like `was not created`. */
  POOL_CHANGE_REFUSED: define<{ pool: string; what: string; count: number }>(
    409,
    "after-fix",
    (d) =>
      `Pool ${d.pool} ${d.what}: ${String(d.count)} ${d.count === 1 ? "requirement is" : "requirements are"} not met.`,
    () => "Each finding says what is wrong, where, and what to do.",
  ),
} as const;

const mostNamed = 8;
const someOf = (names: readonly string[]): string =>
  names.slice(0, mostNamed).join(", ") +
  (names.length > mostNamed ? ` and ${String(names.length - mostNamed)} more` : "");
