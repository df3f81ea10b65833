/**
 * The number of the server that calls, in a header of every call to an agent. Of two servers on one database the later
 * one has the larger number; an agent that has answered one refuses the orders of those before it. A server of an
 * earlier version sends none.
 */
const header = "godwit-server-generation";

export const serverGenerationHeaders = (generation: number): Record<string, string> => ({
  [header]: String(generation),
});

/** Null: the caller tells none, or what is none. */
export function serverGenerationOf(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): number | null {
  const value = headers[header];
  return typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : null;
}
