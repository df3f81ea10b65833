/** The kernel's neighbour table: which MAC address has answered for an IP address, on links that this host itself talks on. */
import { normalAddress } from "@godwit/contract";
import { run } from "@godwit/system";
import { z } from "zod";

export interface Neighbour {
  address: string;
  /** In lower case. */
  mac: string;
}

const entriesSchema = z.array(
  z.object({ dst: z.string(), lladdr: z.string().optional(), state: z.array(z.string()).default([]) }),
);
/** Nobody answers there, or none of the link. */
const useless = new Set(["FAILED", "INCOMPLETE", "NOARP", "NONE"]);

/** @throws PROGRAM_FAILED, PROGRAM_MISSING */
export async function neighbours(): Promise<Neighbour[]> {
  const { stdout } = await run("ip", ["-json", "neighbour", "show"], {
    what: "reading the neighbour table",
  });
  return neighboursIn(stdout);
}

/** @param json of `ip -json neighbour show`, which prints nothing for an empty table; what is no table has none */
export function neighboursIn(json: string): Neighbour[] {
  const entries = entriesSchema.safeParse(JSON.parse(json.trim() === "" ? "[]" : json));
  return (entries.data ?? []).flatMap(({ dst, lladdr, state }) =>
    lladdr === undefined || state.some((word) => useless.has(word))
      ? []
      : [{ address: normalAddress(dst), mac: lladdr.toLowerCase() }],
  );
}
