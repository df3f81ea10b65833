/**
 * How much of a guest's memory holds anything but zeros, read from QEMU's process: what a move has to send of
 * an idle guest, whatever way it takes. QEMU's resident set would not tell: a destination's is all of it.
 */
import { open, readFile, type FileHandle } from "node:fs/promises";

const pageBytes = 4096;
const pagesAtOnce = 1024;
const zeroPage = Buffer.alloc(pageBytes);

/** Bytes of whole pages. @param pid of QEMU, whose guest has `memoryMib` as one anonymous mapping */
export async function nonZeroBytes(pid: number, memoryMib: number): Promise<number> {
  const start = await ramAddress(pid, memoryMib * 2 ** 20);
  await using memory = await open(`/proc/${String(pid)}/mem`, "r");
  await using pagemap = await open(`/proc/${String(pid)}/pagemap`, "r");
  const pages = (memoryMib * 2 ** 20) / pageBytes;
  let nonZero = 0;
  for (let first = 0; first < pages; first += pagesAtOnce) {
    const count = Math.min(pagesAtOnce, pages - first);
    const present = await presentPages(pagemap, start / pageBytes + first, count);
    if (!present.includes(true)) continue;
    const content = Buffer.alloc(count * pageBytes);
    await memory.read(content, 0, content.length, start + first * pageBytes);
    for (const [index, here] of present.entries()) {
      if (!here) continue;
      if (content.compare(zeroPage, 0, pageBytes, index * pageBytes, (index + 1) * pageBytes) !== 0)
        nonZero += 1;
    }
  }
  return nonZero * pageBytes;
}

/** Bit 63 of a page's entry says that it is in memory, bit 62 that it is swapped out (proc(5), pagemap). */
async function presentPages(pagemap: FileHandle, firstPage: number, count: number): Promise<boolean[]> {
  const entries = Buffer.alloc(count * 8);
  await pagemap.read(entries, 0, entries.length, firstPage * 8);
  return Array.from({ length: count }, (_, index) => ((entries[index * 8 + 7] ?? 0) & 0xc0) !== 0);
}

async function ramAddress(pid: number, bytes: number): Promise<number> {
  for (const line of (await readFile(`/proc/${String(pid)}/maps`, "utf8")).split("\n")) {
    const [, from = "", to = ""] = /^([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0\s*$/.exec(line) ?? [];
    if (Number.parseInt(to, 16) - Number.parseInt(from, 16) === bytes) return Number.parseInt(from, 16);
  }
  throw new Error(`process ${String(pid)} has no mapping of ${String(bytes)} bytes for its guest's memory`);
}
