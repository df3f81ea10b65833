/** Fills in what a host's configuration must say before it joins; what is there already, comments too, stays as it is. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { hostname } from "node:os";
import { GodwitError } from "@godwit/contract";
import { readFileOrNull, writeFileAtomic } from "@godwit/system";
import { parseDocument } from "yaml";

/** What was said on the command line. */
export interface GivenConfig {
  server?: string | undefined;
  name?: string | undefined;
  /** On the management network. */
  address?: string | undefined;
  migrationAddress?: string | undefined;
}

const places = {
  server: ["server", "url"],
  name: ["name"],
  address: ["listen", "address"],
  migrationAddress: ["migration", "address"],
} as const;

/** @throws USAGE when something given contradicts the file or the server is not known, CONFIG_INVALID, and of the file system */
export async function completeAgentConfig(path: string, given: GivenConfig): Promise<void> {
  const before = (await readFileOrNull(path)) ?? "";
  const document = parseDocument(before);
  if (document.errors.length > 0) {
    throw GodwitError.of("CONFIG_INVALID", { path, problems: document.errors.map((error) => error.message) });
  }
  const has = (what: keyof typeof places): unknown => document.getIn(places[what]);
  const set = (what: keyof typeof places, value: string) => {
    document.setIn(places[what], value);
  };
  for (const what of Object.keys(places) as (keyof typeof places)[]) {
    const value = given[what];
    if (value === undefined) continue;
    const present = has(what);
    if (present === undefined) set(what, value);
    else if (present !== value)
      throw contradicted(path, places[what].join("."), JSON.stringify(present), value);
  }
  const server = has("server");
  if (typeof server !== "string" || !URL.canParse(server)) {
    throw GodwitError.of("USAGE", {
      what: `Which server this host is to join is not known: ${path} says no server.`,
      hint: "godwit host join --server https://ADDRESS:8443 --token TOKEN",
    });
  }
  if (has("name") === undefined) set("name", (hostname().split(".")[0] ?? "").toLowerCase());
  if (has("address") === undefined) set("address", await ownAddressTowards(server));
  const after = document.toString({ lineWidth: 0 });
  if (after !== before) await writeFileAtomic(path, after, 0o644);
}

function contradicted(path: string, key: string, present: string, value: string): GodwitError {
  return GodwitError.of("USAGE", {
    what: `${path} says ${key}: ${present}, not "${value}".`,
    hint: "Leave the option out, or change the file.",
  });
}

/** The address that this machine calls the server from. Nothing is sent: the kernel is asked for its route. @throws USAGE */
async function ownAddressTowards(url: string): Promise<string> {
  const { hostname: host, port } = new URL(url);
  const to = host.replace(/^\[|\]$/g, "");
  const socket = createSocket(to.includes(":") ? "udp6" : "udp4");
  try {
    const connected = once(socket, "connect");
    socket.connect(Number(port || 443), to);
    await connected;
    return socket.address().address;
  } catch (error) {
    throw GodwitError.of(
      "USAGE",
      {
        what: `This machine has no route to ${url} (${(error as Error).message}).`,
        hint: "Give the address of the management network: --address ADDRESS",
      },
      { cause: error },
    );
  } finally {
    socket.close();
  }
}
