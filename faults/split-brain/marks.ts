/**
 * The guest, one sector long, and the marks that it leaves on its disk. About 18 times a second it asks the
 * machine under it who it is (the first byte of QEMU's `-uuid`, which does not travel with a migration) and writes
 * a growing number into the sector of that host. So the disk itself tells on which hosts the guest runs, and a
 * guest that runs twice is seen to write twice.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { until } from "@godwit/system";

/** Who may run the guest. */
export const hostNames = ["source", "destination", "third"] as const;
export type HostName = (typeof hostNames)[number];

/** What each host's guest has written last; 0 where it never wrote. */
export type Marks = Readonly<Record<HostName, number>>;

const sectorBytes = 512;
const diskBytes = 2 ** 20;
/** A host's number is the sector of its marks too. */
const numberOf: Readonly<Record<HostName, number>> = { source: 10, destination: 11, third: 12 };

export const uuidOf = (host: HostName): string =>
  `${numberOf[host].toString(16).padStart(2, "0")}000000-0000-4000-8000-000000000000`;

/** 16-bit code as the BIOS loads it to 0x7c00; the sector that it writes is made at 0x7e00. */
const program = [
  ...[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0], // ax = ds = es = ss = 0
  ...[0xbc, 0x00, 0x7c], //                               sp = 0x7c00
  0xfb, //                                                sti
  ...[0x66, 0xff, 0x06, 0x04, 0x7e], //             next: inc dword [0x7e04]
  ...[0xba, 0x10, 0x05, 0xb8, 0x02, 0x00, 0xef], //       out 0x510, 2         (fw_cfg: the UUID)
  ...[0x42, 0xec], //                                     al = in 0x511        (its first byte)
  ...[0xa2, 0x00, 0x7e], //                               [0x7e00] = al
  ...[0xa2, 0x36, 0x7c], //                               [packet.sector] = al
  ...[0xbe, 0x2e, 0x7c, 0xb8, 0x00, 0x43], //             si = packet, ax = 0x4300  (extended write)
  ...[0xb2, 0x80, 0xcd, 0x13], //                         dl = 0x80, int 0x13
  ...[0xfb, 0xf4], //                                     sti, hlt             (until the next tick)
  ...[0xeb, 0xde], //                                     jmp next
  ...[0x10, 0x00, 0x01, 0x00, 0x00, 0x7e, 0x00, 0x00], // packet: 1 sector from 0000:7e00
  ...[0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00], // packet.sector
];

/** Makes the disk, or makes it again in its place: the guest in the first sector, and no marks. */
export async function writeDisk(backing: string): Promise<void> {
  const disk = Buffer.alloc(diskBytes);
  disk.set(program);
  disk.set([0x55, 0xaa], sectorBytes - 2);
  // Never shorter in between: a storage server may have it open.
  await using file = await open(backing, constants.O_RDWR | constants.O_CREAT);
  await file.write(disk, 0, diskBytes, 0);
}

/** @param backing the file behind the disk, read without QEMU and without the storage server */
export async function readMarks(backing: string): Promise<Marks> {
  await using file = await open(backing, "r");
  const read = async (host: HostName): Promise<number> => {
    const sector = Buffer.alloc(sectorBytes);
    await file.read(sector, 0, sectorBytes, numberOf[host] * sectorBytes);
    return sector.readUInt32LE(4);
  };
  return { source: await read("source"), destination: await read("destination"), third: await read("third") };
}

/** Waits until these hosts' guests have all written since `before`; false when one of them does not in time. */
export async function allWrite(
  backing: string,
  hosts: readonly HostName[],
  before: Marks,
  limitMs: number,
): Promise<boolean> {
  const haveWritten = async () => {
    const now = await readMarks(backing);
    return hosts.every((host) => now[host] > before[host]);
  };
  // A disk tells nobody that it was written to.
  return (await until(haveWritten, { everyMs: 20, limitMs })) !== null;
}
