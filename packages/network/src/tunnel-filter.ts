/** The table of nftables that limits who may send into this host's tunnels: put in its place at each look, and removed with the last. */
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";
import { isNoTable } from "./nft.ts";
import { tunnelRules, tunnelTable, type SenderLimit } from "./tunnel-rules.ts";

export interface Limited {
  /** Why it is not limited as it is to be, a sentence's end; null: it is. */
  problem: string | null;
  /** What others did to the table since this program put it there, a sentence's end; null: nothing that is known of. */
  lost: string | null;
}

/** The table after this program put it, as nft lists it without counters. Null: not known. */
let standing: string | null = null;
/** This program removed it, and has not put it there since. */
let isRemoved = false;

export async function limitSenders(limits: readonly SenderLimit[]): Promise<Limited> {
  const known = standing;
  standing = null;
  isRemoved = false;
  let lost: string | null = null;
  try {
    const found = await listing();
    if (known !== null && found !== known)
      lost = `something else on the host ${found === null ? "removed" : "changed"} nftables table ${tunnelTable}`;
    await run("nft", ["-f", "-"], { what: "limiting who may send VXLAN", input: tunnelRules(limits) });
    standing = await listing();
    const problem = standing === null ? "the rules of nftables that limit it were removed at once" : null;
    return { problem, lost };
  } catch (error) {
    if (!GodwitError.is(error)) throw error;
    return { problem: problemOf(error), lost };
  }
}

/** When there is no tunnel any more. Tried again at the next call where it fails. */
export async function removeLimits(): Promise<void> {
  if (isRemoved) return;
  const input = `add table ${tunnelTable}\ndelete table ${tunnelTable}\n`;
  standing = null;
  try {
    await run("nft", ["-f", "-"], { what: "removing the limit on who may send VXLAN", input });
    isRemoved = true;
  } catch (error) {
    if (!GodwitError.is(error)) throw error;
    isRemoved = error.code === "PROGRAM_MISSING"; // nothing was limited
  }
}

/** Null: there is no such table. @throws PROGRAM_MISSING, PROGRAM_FAILED */
async function listing(): Promise<string | null> {
  const args = ["-n", "-s", "list", "table", ...tunnelTable.split(" ")];
  try {
    return (await run("nft", args, { what: "looking at who may send VXLAN" })).stdout;
  } catch (error) {
    if (isNoTable(error)) return null;
    throw error;
  }
}

function problemOf(error: GodwitError): string {
  if (error.code === "PROGRAM_MISSING")
    return "nft is not installed, without which anybody could send into it";
  const said = error.code === "PROGRAM_FAILED" ? String(error.problem.details.output) : error.problem.detail;
  return `who may send into it cannot be limited: ${said.trim().slice(0, 300)}`;
}
