/** Why a plan can do little or nothing, each as a sentence that says what to do: a pool of one host, hosts that take no VMs, VMs that none bears, rules that cannot hold. Pure. */
import { ruleConflicts } from "./conflicts.ts";
import type { Pool, PoolVm } from "./pool.ts";

export function planNotes(name: string, pool: Pool): string[] {
  const { hosts, vms } = pool;
  if (hosts.length === 0) return [`Pool ${name} has no host. Add one: godwit pool add-host ${name} HOST`];
  const open = hosts.filter(({ state }) => state === "open");
  const largest = Math.max(0, ...open.map(({ memoryBytes }) => memoryBytes));
  return [
    ...(hosts.length === 1
      ? [
          `Pool ${name} has one host: its VMs have nowhere to go. Add another: godwit pool add-host ${name} HOST`,
        ]
      : []),
    ...(open.length === 0
      ? [
          `No host of pool ${name} takes VMs: each is in maintenance, is not well, does not answer, or cannot have the EVC mode. See godwit host list.`,
        ]
      : vms.flatMap((vm) => tooLarge(vm, largest))),
    ...(vms.length > 0 && vms.every(({ unmeasured }) => unmeasured !== undefined)
      ? [
          `The load of no VM of pool ${name} is known yet: it is measured for two minutes before any moves for it.`,
        ]
      : []),
    ...ruleConflicts(pool)
      .filter(({ rules }) => rules.length > 0)
      .map(({ message }) => message),
  ];
}

const tooLarge = ({ name, memoryBytes }: PoolVm, largest: number): string[] =>
  memoryBytes <= largest
    ? []
    : [
        `VM ${name} needs ${gib(memoryBytes)} of memory, and no host of the pool that takes VMs has more than ${gib(largest)} for them.`,
      ];

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
