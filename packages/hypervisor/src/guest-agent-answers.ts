/** What a guest writes into the port of its guest agent, read: any bytes are fine. Pure. */
import { parseJson } from "@godwit/contract";
import { z } from "zod";

const syncSchema = z.object({ return: z.int() });
const replySchema = z.union([
  z.object({ return: z.unknown() }),
  z.object({ error: z.object({ desc: z.string() }) }),
]);

/** An interface as the guest tells it: its MAC address, lower case, and IP addresses. */
export interface GuestInterface {
  mac: string;
  addresses: string[];
}
const ipSchema = z.union([z.ipv4(), z.ipv6()]);
const interfacesSchema = z.object({
  return: z.array(
    z.object({
      "hardware-address": z.string().optional(),
      "ip-addresses": z.array(z.object({ "ip-address": z.string() })).optional(),
    }),
  ),
});
const mostInterfaces = 256;
const mostAddresses = 64;

/** Of all that the guest writes in one session. Answers have some tens of bytes. */
const maxReadBytes = 256 * 1024;
/** Of a reason of the guest's own, which people read. */
const maxReasonLength = 200;
const newline = 0x0a;

/** Cuts what comes into lines. */
export class GuestLines {
  #rest: Buffer = Buffer.alloc(0);
  #bytes = 0;

  /** @returns the lines that end in this chunk. @throws Error when the guest has written too much */
  push(chunk: Buffer): string[] {
    this.#bytes += chunk.length;
    if (this.#bytes > maxReadBytes) throw new Error("the guest agent's port gives more than any answer has");
    const text = Buffer.concat([this.#rest, chunk]);
    const lines: string[] = [];
    let from = 0;
    for (let at = text.indexOf(newline); at !== -1; at = text.indexOf(newline, from)) {
      lines.push(text.toString("utf8", from, at));
      from = at + 1;
    }
    this.#rest = text.subarray(from);
    return lines;
  }
}

/** @param line what came, which may begin with the rest of an old answer and a delimiter */
export function isSyncAnswer(line: string, id: number): boolean {
  const text = line.slice(Math.max(0, line.lastIndexOf("{")));
  return syncSchema.safeParse(jsonOrNull(text)).data?.return === id;
}

/** Why the guest refused a command, in its words; null: it did not. */
export function refusalIn(line: string): string | null {
  const reply = replySchema.safeParse(jsonOrNull(line));
  if (!reply.success) return "the guest agent's answer is not one";
  return "error" in reply.data ? reply.data.error.desc.slice(0, maxReasonLength) : null;
}

/** The interfaces that have an address. What is none is left out. @throws Error when it is not the answer that was asked for */
export function interfacesIn(line: string): GuestInterface[] {
  const reply = interfacesSchema.safeParse(jsonOrNull(line));
  if (!reply.success) throw new Error("the guest agent's answer is not one");
  return reply.data.return.slice(0, mostInterfaces).flatMap((found) => {
    const addresses = (found["ip-addresses"] ?? [])
      .slice(0, mostAddresses)
      .flatMap(({ "ip-address": address }) => ipSchema.safeParse(address).data ?? []);
    const mac = found["hardware-address"]?.toLowerCase();
    return mac === undefined || addresses.length === 0 ? [] : [{ mac, addresses }];
  });
}

function jsonOrNull(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return null;
  }
}
