/** What can be changed of a VM so that it may move, without harm to its guest's data: each an answer to a finding. */
import type { Finding, MoveFix } from "@godwit/contract";

/** Of errors only: a warning forbids nothing. */
const fixers: Readonly<Partial<Record<Finding["code"], (details: Details) => MoveFix>>> = {
  CDROM_HOST_LOCAL: disconnect,
  CDROM_UNREACHABLE: disconnect,
  VM_CPU_AFFINITY: ({ vm, cpus }) => ({
    sentence: `Remove the CPU affinity of VM ${vm} (${(cpus ?? []).join(", ")}).`,
    changes: { cpuAffinity: null },
  }),
};

interface Details {
  vm: string;
  drive?: string;
  path?: string;
  cpus?: readonly number[];
}

function disconnect({ vm, drive = "", path = "" }: Details): MoveFix {
  return {
    sentence: `Disconnect CD-ROM drive ${drive} of VM ${vm} (${path}).`,
    changes: { cdrom: { name: drive, connected: false } },
  };
}

/** @returns one for each finding that forbids the move and can be repaired so; each change once */
export function fixesOf(findings: readonly Finding[]): MoveFix[] {
  const fixes = new Map<string, MoveFix>();
  for (const { code, severity, details } of findings) {
    const fix = severity === "error" ? fixers[code]?.(details as unknown as Details) : undefined;
    if (fix !== undefined) fixes.set(JSON.stringify(fix.changes), fix);
  }
  return [...fixes.values()];
}
