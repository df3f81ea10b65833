/** How the kernel would send to an address, and whether somebody on the link has answered for it. */
import { isIpv6, normalAddress } from "@godwit/contract";
import { run } from "@godwit/system";
import { z } from "zod";

export interface Route {
  link: string;
  /** The own address that it is sent from. */
  source: string;
  /** Null: the destination is on the link. */
  gateway: string | null;
  /** The address is one of this host's own. */
  isOwn: boolean;
}

const routesSchema = z.array(
  z.object({
    type: z.string().optional(),
    dev: z.string(),
    prefsrc: z.string().optional(),
    gateway: z.string().optional(),
    via: z.object({ host: z.string() }).optional(),
  }),
);

const neighboursSchema = z.array(z.object({ dst: z.string(), state: z.array(z.string()).default([]) }));

/** @returns null where there is no route. @throws PROGRAM_FAILED, PROGRAM_MISSING */
export async function routeTo(address: string): Promise<Route | null> {
  const [plain = address, zone] = address.split("%", 2);
  const args = ["-json", "route", "get", plain, ...(zone === undefined ? [] : ["oif", zone])];
  const { exitCode, stdout } = await run("ip", args, {
    what: `asking for the route to ${address}`,
    okCodes: [0, 2],
  });
  if (exitCode !== 0) return null;
  const [route] = routesSchema.parse(JSON.parse(stdout));
  if (route === undefined || ["unreachable", "prohibit", "blackhole"].includes(route.type ?? "")) return null;
  return {
    link: route.dev,
    source: normalAddress(route.prefsrc ?? ""),
    gateway: route.gateway ?? route.via?.host ?? null,
    isOwn: route.type === "local",
  };
}

/** Whether the kernel asked for an address of a link and was not answered. @throws PROGRAM_FAILED, PROGRAM_MISSING */
export async function isUnanswered(address: string, link: string): Promise<boolean> {
  const [plain = address] = address.split("%", 1);
  const family = isIpv6(plain) ? "-6" : "-4";
  const { stdout } = await run("ip", [family, "-json", "neighbour", "show", "to", plain, "dev", link], {
    what: `looking for ${plain} on ${link}`,
  });
  const found = neighboursSchema.parse(JSON.parse(stdout.trim() === "" ? "[]" : stdout));
  return found.some(({ state }) => state.includes("INCOMPLETE") || state.includes("FAILED"));
}
