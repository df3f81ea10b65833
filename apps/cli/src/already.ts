/** A command whose aim is reached already succeeds, and says so. */
import type { ErrorCode } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import type { Api } from "./connection.ts";
import { writeJson, writeLine } from "./output/screen.ts";

/**
 * @param reached what to say of a refusal that means that nothing is left to be done; null: it does not mean that
 * @throws what `act` throws otherwise
 */
export async function unlessReached(
  api: Api,
  { vm, json, code }: { vm: string; json: boolean; code: ErrorCode },
  act: () => Promise<void>,
  reached: (details: Record<string, unknown>) => string | null,
): Promise<void> {
  try {
    await act();
  } catch (error) {
    const text = GodwitError.is(error, code) ? reached({ ...error.problem.details }) : null;
    if (text === null) throw error;
    if (json) writeJson(await api.call("vmShow", { params: { vm } }));
    else writeLine(text);
  }
}
