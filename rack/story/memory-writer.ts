/** The memory writer in the guest (`guest/memory-writer.pl`): it holds memory, writes to it all the while, and knows what each page must hold. */
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { buildGuest, extendRoot } from "@godwit/lab";
import { until } from "@godwit/system";
import type { KeptMemory } from "./result.ts";
import { sharedFolder } from "./shared-storage.ts";
import type { Site } from "./site.ts";

const port = 7002;
const answerLimitMs = 300_000;
const bootLimitMs = 600_000;
/** What the guest has beside its root. */
const files = ["more.sh", "memory-writer.pl"];

/** From its next start on, the VM's guest has a memory writer. */
export async function placeMemoryWriter(site: Site, say: (text: string) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "godwit-memory-writer-"));
  try {
    const own = join(folder, "root/usr/lib/godwit");
    await mkdir(own, { recursive: true });
    for (const name of files) await copyFile(join(import.meta.dirname, "guest", name), join(own, name));
    const initrd = join(folder, "initrd");
    await extendRoot((await buildGuest(say)).initrd, join(folder, "root"), initrd);
    const place = `${sharedFolder}/guest/initrd`;
    await site.server.run("rm", "-f", place);
    await site.files.fetch(site.server, initrd, place);
    await site.server.run("chmod", "a+r", place);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param mib kept beside what is already; absent: it only looks @throws Error when it does not answer, or not as it should */
export async function askMemoryWriter(address: string, mib?: number): Promise<KeptMemory> {
  const line = mib === undefined ? "look" : `keep ${String(mib)}`;
  // A guest that starts opens its ports when it can. A connection that was accepted is not tried again: it would keep twice as much.
  const socket = await until(async () => await opened(address), { everyMs: 2000, limitMs: bootLimitMs });
  if (socket === null) throw new Error(`the memory writer in the guest at ${address} takes no connection`);
  socket.setTimeout(answerLimitMs, () =>
    socket.destroy(new Error("the memory writer did not answer in time")),
  );
  socket.write(`${line}\n`);
  const words = (await text(socket)).trim();
  const [totalKib, pages, added, written, wrong] = words.split(" ").map(Number);
  const all = { totalKib, pages, added, written, wrong };
  if (!isWhole(all)) throw new Error(`the memory writer answered: ${words.slice(0, 300)}`);
  return all;
}

const isWhole = (all: Record<keyof KeptMemory, number | undefined>): all is KeptMemory =>
  Object.values(all).every((figure) => Number.isSafeInteger(figure));

async function opened(address: string) {
  const socket = connect({ host: address, port });
  try {
    await once(socket, "connect");
    return socket;
  } catch {
    socket.destroy();
    return null;
  }
}
