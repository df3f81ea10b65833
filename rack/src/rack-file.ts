/** What is known of a rack while it is up, in `rack.json` in its folder: enough for any later program to use or end it. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { readFileOrNull, writeFileAtomic } from "@godwit/system";
import { z } from "zod";
import { rackFolder, racksFolder } from "./names.ts";

const serverSchema = z.object({
  spec: z.object({
    name: z.string(),
    number: z.int(),
    suite: z.enum(["bookworm", "trixie"]),
    memoryMib: z.int(),
    cpu: z.string(),
    dataGib: z.int(),
  }),
  boot: z.object({ kernel: z.string(), initrd: z.string() }),
  /** Its QEMU; null: its power is off. */
  process: z.object({ pid: z.int(), startTicks: z.number() }).nullable(),
});
const rackFileSchema = z.object({
  version: z.literal(1),
  id: z.string(),
  /** The program that emulates the servers. */
  qemu: z.string(),
  /** Of the servers' processes, for the kernel's scheduler: -20 to 19. */
  nice: z.int(),
  servers: z.array(serverSchema),
});
export type RackFile = z.output<typeof rackFileSchema>;
export type ServerRecord = z.output<typeof serverSchema>;

const pathOf = (id: string): string => join(rackFolder(id), "rack.json");

/** @throws USAGE when there is none */
export async function readRackFile(id: string): Promise<RackFile> {
  const text = await readFileOrNull(pathOf(id));
  if (text === null) {
    throw GodwitError.of("USAGE", {
      what: `There is no rack ${id}.`,
      hint: "npm run rack -- status shows the racks.",
    });
  }
  return rackFileSchema.parse(JSON.parse(text));
}

export async function writeRackFile(file: RackFile): Promise<void> {
  await writeFileAtomic(pathOf(file.id), `${JSON.stringify(file, null, 2)}\n`);
}

/** Ids of all racks of this machine, also of incomplete ones. */
export async function listRacks(): Promise<string[]> {
  return (await readdir(racksFolder).catch(() => [] as string[])).sort();
}
