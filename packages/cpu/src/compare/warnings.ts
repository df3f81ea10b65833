/** What the operator should know about a move beyond features: warnings, which refuse nothing. */
import { leafOf, registerOf } from "../cpuid/leaves.ts";
import type { Cpu } from "../cpuid/cpu.ts";
import { vmxDifferences } from "./msr-rules.ts";

export function warningsOf(a: Cpu, b: Cpu): string[] {
  return [
    ...addressWarning(a, b),
    ...stateAreaWarning(a, b),
    ...nestedWarning(a, b),
    ...[a, b].flatMap(mixedCoresWarning),
    ...[a, b].flatMap(virtualWarning),
  ];
}

/** Low byte of 0x80000008 EAX: how many bits of physical address; undefined where the source does not tell. */
function physicalAddressBits(cpu: Cpu): number | undefined {
  const eax = registerOf(cpu.leaves, 0x80000008, 0, "eax");
  return eax === undefined ? undefined : eax & 0xff;
}

/** QEMU only warns of it, and a guest that had mapped memory above would fault. */
function addressWarning(a: Cpu, b: Cpu): string[] {
  const bits = [a, b].map(physicalAddressBits);
  const [inA, inB] = bits;
  if (inA === undefined || inB === undefined || inA === inB) return [];
  return [
    `${a.label} has ${String(inA)} physical address bits, ${b.label} ${String(inB)}: a VM for both must be shown at most ${String(Math.min(inA, inB))} (QEMU: phys-bits=${String(Math.min(inA, inB))}).`,
  ];
}

/**
 * The area that XSAVE fills, and where in it each state component stands (leaf 0xD). Guests keep such areas in
 * their memory, and KVM sends one with each vCPU: what both have must be of the same size at the same place.
 */
function stateAreaWarning(a: Cpu, b: Cpu): string[] {
  const sizes = [a, b].map((cpu) => registerOf(cpu.leaves, 0xd, 0, "ecx"));
  const [inA, inB] = sizes;
  if (inA === undefined || inB === undefined) return [];
  const moved = a.leaves.flatMap((one) => {
    if (one.leaf !== 0xd || one.subleaf < 2 || one.eax === 0) return [];
    const other = leafOf(b.leaves, 0xd, one.subleaf);
    if (other === undefined || other.eax === 0) return [];
    return one.eax === other.eax && one.ebx === other.ebx ? [] : [one.subleaf];
  });
  return [
    ...(inA === inB
      ? []
      : [
          `The XSAVE area takes ${String(inA)} bytes on ${a.label} and ${String(inB)} on ${b.label}: a VM for both must not see the state components of only one.`,
        ]),
    ...(moved.length === 0
      ? []
      : [
          `XSAVE state components ${moved.join(", ")} have another size or place on ${b.label} than on ${a.label}: a VM that uses them cannot move.`,
        ]),
  ];
}

/** Only a VM that is itself to run VMs sees it, so it decides nothing here. */
function nestedWarning(a: Cpu, b: Cpu): string[] {
  const differing = vmxDifferences(a, b);
  if (differing.untold.length === 0 && differing.names.length === 0) return [];
  return [
    differing.untold.length > 0
      ? `What VMX can do (vmx-*) is not reported of ${differing.untold.join(" and ")}: it matters only to VMs that run VMs themselves, and they may not be able to move.`
      : `What VMX can do differs (${differing.names.slice(0, 12).join(", ")}${differing.names.length > 12 ? " …" : ""}): it matters only to VMs that run VMs themselves, and they may not be able to move.`,
  ];
}

const mixedCoresWarning = ({ label, mixedCores }: Cpu): string[] =>
  mixedCores
    ? [`The cores of ${label} are of different kinds: only the features that all of them have count.`]
    : [];

const virtualWarning = ({ label, virtual, offered }: Cpu): string[] =>
  !virtual
    ? []
    : [
        offered
          ? `The report of ${label} shows what a hypervisor offers to guests: the hardware may have more.`
          : `The report of ${label} was made inside a VM: the hardware may have more.`,
      ];
