/** What is kept beside a QEMU process, so that an agent that starts again knows what runs. */
import { parseJson } from "@godwit/contract";
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
  await writeFileAtomic(paths.runtime, JSON.stringify({ version: 1, ...runtime }), 0o600);
}

/** @throws Error with what is wrong with it */
export function parseRuntime(text: string): Runtime {
  let json: unknown;
  try {
    json = parseJson(text);
  } catch (error) {
    throw new Error("runtime.json is no JSON", { cause: error });
  }
  const parsed = runtimeSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`runtime.json is not valid: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`.trim());
}
