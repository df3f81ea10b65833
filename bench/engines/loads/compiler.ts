/** A compiler works in the guest, one file after the other: `guest/more.sh` hears of it by the database without a disk. */
import { fileURLToPath } from "node:url";
import { namespaceOf } from "@godwit/lab";
import { run } from "@godwit/system";
import type { GuestPlace, Work } from "./load.ts";

const asker = fileURLToPath(new URL("ask-redis.ts", import.meta.url));

export const compiler: Work = {
  unit: "files",
  begin: async (guest) => {
    await ask(guest, "SET", "compiled", "0");
    await ask(guest, "DEL", "stop");
    await ask(guest, "RPUSH", "compile", "on");
    return {
      done: async () => Number(await ask(guest, "GET", "compiled")),
      end: async () => {
        await ask(guest, "SET", "stop", "on");
      },
    };
  },
};

async function ask({ labId, address }: GuestPlace, ...command: string[]): Promise<string> {
  const inside = ["netns", "exec", namespaceOf(labId, "client"), process.execPath, asker];
  const { stdout } = await run("ip", [...inside, address, ...command], {
    what: `asking the compiler of the guest at ${address}`,
    timeoutMs: 90_000,
  });
  return stdout.trim();
}
