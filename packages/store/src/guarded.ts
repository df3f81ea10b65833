/** Tells a database that does not answer, or not in time, from every other error. */
import { GodwitError } from "@godwit/contract";

/** Of connecting, and of waiting for one of the pool's connections. */
export const connectLimitMs = 3000;
/** Of a database that does not even end a query itself. */
export const queryLimitMs = 6000;

export const unanswered = /^query read timeout/i;
const refusals = /^(?:08|53|57P|58|57014|55P03|25P03)/;
const systemCodes = new Set(["ECONNREFUSED", "ECONNRESET", "ENOENT", "EPIPE", "ETIMEDOUT", "ENOTFOUND"]);

/** @throws DATABASE_UNAVAILABLE when the database does not answer, or not in time */
export async function guarded<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query();
  } catch (error) {
    const { code = "", message } = error as { code?: string; message: string };
    const late = unanswered.test(message);
    const lost =
      late ||
      refusals.test(code) ||
      systemCodes.has(code) ||
      /connection terminated|timeout expired|timeout exceeded when trying to connect|not queryable/i.test(
        message,
      );
    if (!lost) throw error;
    const reason = late ? `a query had no answer within ${String(queryLimitMs / 1000)} s` : message;
    throw GodwitError.of("DATABASE_UNAVAILABLE", { reason }, { cause: error });
  }
}
