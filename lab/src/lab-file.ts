/** What is known of a lab while it exists, in `lab.json` in its folder: enough for any later program to use or end it. */
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { readFileOrNull, writeFileAtomic } from "@godwit/system";
import { z } from "zod";
import { labFolder } from "./names.ts";

const identitySchema = z.object({ pid: z.int(), startTicks: z.number() });

const hostRecordSchema = z.object({
  name: z.string(),
  qemu: z.object({ binary: z.string(), version: z.string(), origin: z.string() }),
  agent: identitySchema.nullable(),
});

export const labFileSchema = z.object({
  version: z.literal(2),
  id: z.string(),
  linkBitsPerSecond: z.number().nullable(),
  /** On loopback; inherited by the server as a listening socket. */
  apiPort: z.int(),
  hosts: z.array(hostRecordSchema),
  /** Whether the agents' moves can be held. */
  pausePoints: z.boolean(),
  localDatastore: z.boolean().default(false),
  /** Whether hosts see that ordinary users may not handle page faults; absent: as the machine has it. */
  forbidsUserfaultfd: z.boolean().optional(),
  /** How long certificates count; absent: as the server has it. */
  certificateLife: z.string().optional(),
  server: identitySchema.nullable(),
});
export type LabFile = z.infer<typeof labFileSchema>;
export type HostRecord = z.infer<typeof hostRecordSchema>;

/** A lab that this program works with: what its hosts and its server need to know of it. */
export interface OpenLab {
  /** What changes in it is kept by `save`. */
  readonly file: LabFile;
  readonly folder: string;
  /** What the hosts see as their shared datastore. */
  readonly sharedFolder: string;
  /** How to start the program itself. */
  readonly program: readonly string[];
  /** @param role like `agent-a` */
  readonly logOf: (role: string) => string;
  readonly save: () => Promise<void>;
}

export function openLab(file: LabFile, program: readonly string[]): OpenLab {
  const folder = labFolder(file.id);
  return {
    file,
    folder,
    sharedFolder: join(folder, "shared"),
    program,
    logOf: (role) => join(folder, "logs", `${role}.log`),
    save: async () => {
      await writeLabFile(file);
    },
  };
}

const pathOf = (id: string): string => join(labFolder(id), "lab.json");

/** @throws USAGE when there is no such lab */
export async function readLabFile(id: string): Promise<LabFile> {
  const text = await readFileOrNull(pathOf(id));
  if (text === null) {
    throw GodwitError.of("USAGE", {
      what: `There is no lab ${id}.`,
      hint: "godwit lab status shows the labs.",
    });
  }
  return labFileSchema.parse(JSON.parse(text));
}

export async function writeLabFile(file: LabFile): Promise<void> {
  await writeFileAtomic(pathOf(file.id), `${JSON.stringify(file, null, 2)}\n`);
}
