/**
 * What is asked of sanlock's daemon about one lease, as it takes and answers it (`struct sanlk_resource`, `struct
 * sanlk_disk` and `struct sanlk_host` of sanlock 3.8, little-endian). Pure.
 */
import { GodwitError, type LeaseMode } from "@godwit/contract";
import type { SanlockAnswer } from "./sanlock-socket.ts";

/** A place on storage with a name of its own. */
export interface LeasePlace {
  lockspace: string;
  /** Of a resource; absent for the lockspace itself. */
  resource?: string;
  path: string;
}

/** What lies on the storage: who had the lease exclusively last (`timestamp` 0: gave it back), and who shares it. */
export interface ResourceOnDisk {
  version: number;
  exclusive: { id: number; generation: number; timestamp: number } | null;
  shared: { id: number; generation: number }[];
}

const nameBytes = 48;
const resourceBytes = 128;
const diskBytes = 1040;
const pathBytes = 1024;
const hostBytes = 32;
/** `SANLK_RES_SHARED` */
const sharedFlag = 0x4;

/** A lease by its names. @throws TypeError when one is longer than sanlock's */
export function resourceRecord({ lockspace, resource = "" }: LeasePlace, mode: LeaseMode = "EX"): Buffer {
  const record = Buffer.alloc(resourceBytes);
  put(record, lockspace, 0, nameBytes);
  put(record, resource, nameBytes, nameBytes);
  record.writeUInt32LE(mode === "SH" ? sharedFlag : 0, 120);
  record.writeUInt32LE(1, 124);
  return record;
}

/** And where it lies. @throws TypeError when a name or the path is longer than sanlock's */
export function placedRecord(place: LeasePlace): Buffer {
  const disk = Buffer.alloc(diskBytes);
  // It is read up to its NUL.
  put(disk, place.path, 0, pathBytes - 1);
  return Buffer.concat([resourceRecord(place), disk]);
}

/**
 * Who has a lease, from the answer to `readOwners`. The daemon tells who has it exclusively first, with the time of that;
 * those who share it have none.
 * @throws SANLOCK_UNAVAILABLE when the answer is not whole
 */
export function ownersIn({ count, body }: SanlockAnswer): ResourceOnDisk {
  if (body.length !== resourceBytes + count * hostBytes)
    throw GodwitError.of("SANLOCK_UNAVAILABLE", { reason: "its daemon does not answer as sanlock does" });
  const owners = Array.from({ length: count }, (_, index) => {
    const at = resourceBytes + index * hostBytes;
    const number = (offset: number) => Number(body.readBigUInt64LE(at + offset));
    return { id: number(0), generation: number(8), timestamp: number(16) };
  });
  const [first] = owners;
  const exclusive = first === undefined || first.timestamp === 0 ? null : first;
  const shared = owners.slice(exclusive === null ? 0 : 1).map(({ id, generation }) => ({ id, generation }));
  return { version: Number(body.readBigUInt64LE(96)), exclusive, shared };
}

function put(record: Buffer, text: string, at: number, most: number): void {
  if (Buffer.byteLength(text) > most) throw new TypeError(`${text} is too long for sanlock`);
  record.write(text, at, most, "utf8");
}
