/** Errors of commands that hosts are to run, and of the rolling update of a pool. */
import { define } from "./define.ts";

const file = "/etc/godwit/agent.yaml";

export const poolUpdateErrors = {
  /** Its administrator has not allowed it. */
  HOST_COMMANDS_OFF: define<{ host: string }>(
    403,
    "after-fix",
    (d) => `Host ${d.host} runs no commands of operators.`,
    (d) =>
      `Allow it in ${file} on ${d.host} (updates: { commands: true }) and restart its agent: systemctl restart godwit-agent. Whoever holds the admin token can then do everything there that root can.`,
  ),
  HOST_COMMANDS_UNKNOWN: define<{ host: string; version: string }>(
    409,
    "after-fix",
    (d) =>
      `The agent of host ${d.host}, Godwit ${d.version}, does not know how to run commands of operators.`,
    (d) => `Upgrade the agent on ${d.host} first: apt install ./godwit_*.deb ./godwit-agent_*.deb`,
  ),
  /** A warning of a plan. */
  HOST_WOKEN_FOR_UPDATE: define<{ host: string; pool: string }>(
    409,
    "never",
    (d) => `Host ${d.host} is in standby, and is powered on for the update.`,
    (d) =>
      `Nothing needs to be done: it stays on afterwards, until pool ${d.pool} powers it off again to save power.`,
  ),
  HOST_IN_STANDBY: define<{ host: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} is in standby, and its pool does not power it on by itself.`,
    (d) => `Wake it first (godwit host power on ${d.host}), or leave it out: name the other hosts by --host.`,
  ),
  HOST_COMMAND_VMS_RUN: define<{ host: string; vms: string[] }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} runs no command and is not booted again while VMs run there: ${d.vms.join(", ")}.`,
    (d) => `Move them away first: godwit host maintenance enter ${d.host}`,
  ),
  HOST_COMMAND_RUNS: define<{ host: string; vm: string }>(
    409,
    "later",
    (d) =>
      `VM ${d.vm} does not start on host ${d.host} now: an operator's command runs there, or the host is about to be booted again.`,
    () => "Start it on another host, or when the command has ended: godwit task list",
  ),
  HOST_COMMAND_UNKNOWN: define<{ host: string; id: string }>(
    404,
    "never",
    (d) => `Host ${d.host} has no command ${d.id}; the newest 20 are kept.`,
    () => "Nothing needs to be done.",
  ),
  POOL_EMPTY: define<{ pool: string }>(
    409,
    "after-fix",
    (d) => `Pool ${d.pool} has no hosts.`,
    (d) => `Add one: godwit pool add-host ${d.pool} HOST`,
  ),
  POOL_TASK_UNDER_WAY: define<{ pool: string; task: string; what: string }>(
    409,
    "later",
    (d) => `Pool ${d.pool} is busy with task ${d.task}: ${d.what}.`,
    (d) => `Wait for it (godwit task watch ${d.task}) or cancel it: godwit task cancel ${d.task}`,
  ),
  POOL_UPDATE_REFUSED: define<{ pool: string; hosts: string[] }>(
    409,
    "after-fix",
    (d) => `Pool ${d.pool} cannot be updated: ${d.hosts.join(", ")} cannot. Nothing was changed.`,
    () => "Each finding says what is wrong, where, and what to do.",
  ),
  /** `reason`: as a part of a sentence. `inMaintenance`: whether the host takes no VMs now. */
  POOL_UPDATE_STOPPED: define<{
    pool: string;
    host: string;
    reason: string;
    inMaintenance: boolean;
    done: string[];
    left: string[];
  }>(
    409,
    "after-fix",
    (d) =>
      `The update of pool ${d.pool} stopped at host ${d.host}: ${d.reason}. ${d.inMaintenance ? `Host ${d.host} takes no VMs until it is taken back.` : `Host ${d.host} was left as it was.`} ${updatedText(d)}`,
    (d) =>
      `Look at the host, then${d.inMaintenance ? ` take it back (godwit host maintenance exit ${d.host}) and` : ""} go on with: godwit pool update ${d.pool} ${[d.host, ...d.left].map((host) => `--host ${host}`).join(" ")} and the command`,
  ),
  POOL_UPDATE_CANCELLED: define<{ pool: string; done: string[]; left: string[] }>(
    409,
    "never",
    (d) => `The update of pool ${d.pool} was cancelled. ${updatedText(d)}`,
    () => "Nothing needs to be done: no host is left in maintenance by it.",
  ),
} as const;

const updatedText = ({ done, left }: { done: string[]; left: string[] }): string =>
  [
    done.length === 0 ? "No host was updated" : `Updated: ${done.join(", ")}`,
    ...(left.length === 0 ? [] : [`not started: ${left.join(", ")}`]),
  ].join("; ") + ".";
