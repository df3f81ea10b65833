/** This host's links: how much they carry now. What they are is read by `linkFacts` of the network package. */
import type { LinkLoad } from "@godwit/contract";
import { linkStates, type LinkState } from "@godwit/network";
import type { Rates } from "./rates.ts";

/** @throws PROGRAM_FAILED, PROGRAM_MISSING */
export async function linkLoad(rates: Rates, atMs: number): Promise<LinkLoad[]> {
  return linkRates(await linkStates(), rates, atMs);
}

export const linkRates = (states: readonly LinkState[], rates: Rates, atMs: number): LinkLoad[] =>
  states.map(({ name, up, carrier, traffic, bond }) => {
    const rate = (what: string, bytes: number | undefined) =>
      bytes === undefined ? null : rates.perSecond(`link ${name} ${what}`, bytes, atMs);
    return {
      name,
      up,
      carrier,
      receivedBytesPerSecond: rate("received", traffic?.receivedBytes),
      sentBytesPerSecond: rate("sent", traffic?.sentBytes),
      ...(bond === null ? {} : { bond }),
    };
  });
