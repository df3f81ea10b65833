/**
 * What becomes of a command on a VM in every state that a VM can be in: the host that does it, or why it is refused.
 * Pure, and a table first: a test goes through all states and all commands, and asks that a way leads from each state
 * to a VM that runs or is stopped.
 */
import { hasProcess, type VmState } from "@godwit/contract";

/** The host that a VM is said to be on: it answers, it does not, or it was removed from the cluster. */
export type Home = "connected" | "silent" | "removed";

export type VmCommand =
  "start" | "stop" | "pause" | "resume" | "reset" | "delete" | "configure" | "unregister";

/** `active`: the VM has a process there, as far as is known. */
type Situation = `${"active" | "inactive"}, ${Home}`;

type Refusal = "VM_RUNNING" | "VM_NOT_RUNNING" | "HOST_UNREACHABLE";
/** `home`: on the VM's host. `other`: on any host that sees the VM's folder. `inventory`: no host is needed. */
type Decision = "home" | "other" | "inventory" | Refusal;

/** A host that is named takes the place of the last one: the VM's lease decides whether it may be started there. */
const decisions: Record<VmCommand, Record<Situation, Decision>> = {
  start: {
    "active, connected": "VM_RUNNING",
    "active, silent": "HOST_UNREACHABLE",
    "active, removed": "other",
    "inactive, connected": "home",
    "inactive, silent": "HOST_UNREACHABLE",
    "inactive, removed": "other",
  },
  stop: {
    "active, connected": "home",
    "active, silent": "HOST_UNREACHABLE",
    "active, removed": "VM_NOT_RUNNING",
    "inactive, connected": "VM_NOT_RUNNING",
    "inactive, silent": "VM_NOT_RUNNING",
    "inactive, removed": "VM_NOT_RUNNING",
  },
  pause: {
    "active, connected": "home",
    "active, silent": "HOST_UNREACHABLE",
    "active, removed": "VM_NOT_RUNNING",
    "inactive, connected": "VM_NOT_RUNNING",
    "inactive, silent": "VM_NOT_RUNNING",
    "inactive, removed": "VM_NOT_RUNNING",
  },
  resume: {
    "active, connected": "home",
    "active, silent": "HOST_UNREACHABLE",
    "active, removed": "VM_NOT_RUNNING",
    "inactive, connected": "VM_NOT_RUNNING",
    "inactive, silent": "VM_NOT_RUNNING",
    "inactive, removed": "VM_NOT_RUNNING",
  },
  reset: {
    "active, connected": "home",
    "active, silent": "HOST_UNREACHABLE",
    "active, removed": "VM_NOT_RUNNING",
    "inactive, connected": "VM_NOT_RUNNING",
    "inactive, silent": "VM_NOT_RUNNING",
    "inactive, removed": "VM_NOT_RUNNING",
  },
  // Files are removed under the VM's exclusive lease: no host gets it while another runs the VM.
  delete: {
    "active, connected": "VM_RUNNING",
    "active, silent": "VM_RUNNING",
    "active, removed": "other",
    "inactive, connected": "home",
    "inactive, silent": "other",
    "inactive, removed": "other",
  },
  configure: {
    "active, connected": "home",
    "active, silent": "HOST_UNREACHABLE",
    "active, removed": "other",
    "inactive, connected": "home",
    "inactive, silent": "HOST_UNREACHABLE",
    "inactive, removed": "other",
  },
  unregister: {
    "active, connected": "VM_RUNNING",
    "active, silent": "VM_RUNNING",
    "active, removed": "inventory",
    "inactive, connected": "inventory",
    "inactive, silent": "inventory",
    "inactive, removed": "inventory",
  },
};

/** @param namesAnother for `start`: whether another host than the VM's is asked for */
export function decideVmCommand(
  command: VmCommand,
  { state, home, namesAnother = false }: { state: VmState; home: Home; namesAnother?: boolean },
): Decision | "named" {
  const decision = decisions[command][`${hasProcess({ state }) ? "active" : "inactive"}, ${home}`];
  const mayBeElsewhere = command === "start" && decision !== "VM_RUNNING";
  return namesAnother && mayBeElsewhere ? "named" : decision;
}
