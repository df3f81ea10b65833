/**
 * TCP connections of this network namespace to one place. QEMU cannot be told to stop connecting: the kernel is told to
 * end the attempt (SOCK_DESTROY), and QEMU then hears that it failed.
 */
import { run } from "@godwit/system";

interface Place {
  address: string;
  port: number;
}

const filter = ({ address, port }: Place): string[] => {
  const [plain = address] = address.split("%", 1);
  return ["dst", plain.includes(":") ? `[${plain}]` : plain, "dport", "=", `:${String(port)}`];
};

/** Whether one of them is still being made: nobody has answered it yet. @throws PROGRAM_FAILED, PROGRAM_MISSING */
export async function isConnecting(place: Place): Promise<boolean> {
  const args = ["-H", "-t", "-n", "state", "syn-sent", ...filter(place)];
  const { stdout } = await run("ss", args, { what: "looking for connections that are not answered" });
  return stdout.trim() !== "";
}

/**
 * For how long, in ms since it was made, the network has held the stream there up: something was on its way, and not because
 * its receiver did not read. Null: there is none, or the system does not tell. @throws PROGRAM_FAILED, PROGRAM_MISSING
 */
export async function networkBusyMs(place: Place): Promise<number | null> {
  const args = ["-H", "-t", "-n", "-i", "state", "established", ...filter(place)];
  const { stdout } = await run("ss", args, { what: "looking at what holds a stream up" });
  return busyIn(stdout);
}

/** In `ss -i`'s words; a figure of nothing is left out there. */
export function busyIn(text: string): number | null {
  if (!/\bbytes_sent:/.test(text)) return null;
  const ms = (word: string) => Number(new RegExp(`\\b${word}:(\\d+)ms`).exec(text)?.[1] ?? 0);
  return ms("busy") - ms("rwnd_limited");
}

/** Ends them, whatever they are doing; where the kernel cannot, they end by themselves. @throws PROGRAM_FAILED, PROGRAM_MISSING */
export async function endConnections(place: Place): Promise<void> {
  await run("ss", ["-K", "-H", "-t", "-n", ...filter(place)], {
    what: "ending connections that are not answered",
  });
}
