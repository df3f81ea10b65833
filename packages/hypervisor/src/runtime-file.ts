/** What is kept beside a QEMU process, so that an agent that starts anew knows what runs. */
import { writeFileAtomic, type ProcessIdentity } from "@godwit/system";
import { z } from "zod";
import { launchSpecSchema, type LaunchSpec, type RunPaths } from "./launch-spec.ts";

const runtimeSchema = z.object({
  version: z.literal(1),
  spec: launchSpecSchema,
  identity: z.object({ pid: z.int(), startTicks: z.number() }),
  startedAt: z.string(),
});

export interface Runtime {
  spec: LaunchSpec;
  identity: ProcessIdentity;
  startedAt: string;
}

export async function writeRuntime(paths: RunPaths, runtime: Runtime): Promise<void> {
  await writeFileAtomic(paths.runtime, JSON.stringify({ version: 1, ...runtime }));
}

export const parseRuntime = (text: string): Runtime => runtimeSchema.parse(JSON.parse(text));
