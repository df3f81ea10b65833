/** How far a lab guest's clock is from the host's: asked of its database, from the clients' namespace. */
import { fileURLToPath } from "node:url";
import { run } from "@godwit/system";
import { namespaceOf } from "../names.ts";

const reader = fileURLToPath(new URL("read-clock.ts", import.meta.url));

/** Milliseconds that the guest is ahead. @param address the guest's. @throws PROGRAM_FAILED when it does not answer */
export async function guestClockOffsetMs(labId: string, address: string): Promise<number> {
  return await guestClockOffsetFrom(namespaceOf(labId, "client"), address);
}

/** As `guestClockOffsetMs`, from any namespace that reaches the guest. */
export async function guestClockOffsetFrom(namespace: string, address: string): Promise<number> {
  const { stdout } = await run("ip", ["netns", "exec", namespace, process.execPath, reader, address], {
    what: `asking the guest at ${address} for its time`,
    timeoutMs: 60_000,
  });
  return Number(stdout);
}
