/**
 * Findings that neither a lab test nor a chapter of the rack's story finds where they really are so, and why. `simulated`: a lab test finds it with CPUs that
 * agents are told to report.
 */
const anotherProcessor = "the lab's hosts have one processor";

export const notShown: Readonly<Record<string, string>> = {
  AGENT_CANNOT: "it needs an agent of an earlier version",
  DESTINATION_BASELINE_EXCEEDED: anotherProcessor,
  DESTINATION_BASELINE_UNDECIDED: anotherProcessor,
  DESTINATION_CPU_LACKS: `simulated: ${anotherProcessor}`,
  DESTINATION_CPU_UNDETERMINED: "it needs a kernel that does not show CPUID",
  DESTINATION_CPU_VENDOR_DIFFERS: `simulated: ${anotherProcessor}, and the rack's are all AMD's`,
  DESTINATION_MEMORY_UNDETERMINED: "it needs a kernel whose /proc/meminfo cannot be read",
  NETWORK_LINK_UNDETERMINED: "it needs a kernel that does not tell of a link",
  NETWORK_VLAN_DIFFERS:
    "it needs a kernel whose bridges filter by VLAN, and a host that cannot keep what it was told",
  UEFI_FIRMWARE_DIFFERS: "it needs two versions of the firmware",
  VM_MEMORY_ORDER: "it needs a VM that was started by an earlier version",
  VM_CLOCK_NOT_MOVABLE: "it needs KVM and an invariant TSC, which the rack's processors do not have",
};
