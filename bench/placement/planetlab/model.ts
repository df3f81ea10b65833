/** The machines and VMs of CloudSim's PlanetLab examples, and what they take of power (SPECpower results of the two servers). */

export interface HostType {
  cores: number;
  mipsPerCore: number;
  memoryMb: number;
  /** Watts at 0, 10, … 100 % of its use. */
  watts: readonly number[];
}

export interface VmType {
  mips: number;
  memoryMb: number;
}

const g4: HostType = {
  ...{ cores: 2, mipsPerCore: 1860, memoryMb: 4096 },
  watts: [86, 89.4, 92.6, 96, 99.5, 102, 106, 108, 112, 114, 117],
};
const g5: HostType = {
  ...{ cores: 2, mipsPerCore: 2660, memoryMb: 4096 },
  watts: [93.7, 97, 101, 105, 110, 116, 121, 125, 129, 133, 135],
};

export const hosts: readonly HostType[] = Array.from({ length: 800 }, (_, index) =>
  index % 2 === 0 ? g4 : g5,
);

const vmTypes: readonly VmType[] = [
  { mips: 2500, memoryMb: 870 },
  { mips: 2000, memoryMb: 1740 },
  { mips: 1000, memoryMb: 1740 },
  { mips: 500, memoryMb: 613 },
];

/** VMs come in quarters: the first quarter of the list is of the first type. */
export const vmsOf = (count: number): VmType[] =>
  Array.from(
    { length: count },
    (_, index) => vmTypes[Math.floor(index / Math.ceil(count / vmTypes.length))] as VmType,
  );

export const mipsOf = ({ cores, mipsPerCore }: HostType): number => cores * mipsPerCore;

/** @param use 0 to 1; of a host that is switched off nothing is asked */
export function wattsAt({ watts }: HostType, use: number): number {
  const at = Math.min(1, Math.max(0, use)) * 10;
  const low = Math.min(9, Math.floor(at));
  const from = watts[low] as number;
  return from + ((watts[low + 1] as number) - from) * (at - low);
}

/** A migration copies the VM's memory over half of a 1 Gbit/s link. */
export const moveSeconds = ({ memoryMb }: VmType): number => memoryMb / 62.5;
/** Of its MIPS a VM loses this part while it migrates, and its target carries it. */
export const moveLoss = 0.1;
