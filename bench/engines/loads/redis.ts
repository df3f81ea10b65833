/** A client writes to a database of the guest's that keeps its data in memory only, as fast as that answers: `flood.ts`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { namespaceOf } from "@godwit/lab";
import type { Work } from "./load.ts";

const flood = fileURLToPath(new URL("flood.ts", import.meta.url));

/** @param mib of data that it writes over and over */
export const redis = (mib: number): Work => ({
  unit: "writes",
  begin: async ({ labId, address }) => {
    const inside = ["netns", "exec", namespaceOf(labId, "client"), process.execPath, flood];
    const child = spawn("ip", [...inside, address, String(mib)], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const ask = async (word: string): Promise<string> => {
      const answer = once(lines, "line") as Promise<[string]>;
      child.stdin.write(`${word}\n`);
      const ended = once(child, "exit").then((): [string] => {
        throw new Error("the database's client has ended");
      });
      const [line] = await Promise.race([answer, ended]);
      return line;
    };
    await ask("begin");
    return {
      done: async () => Number(await ask("count")),
      end: async () => {
        const gone = once(child, "exit");
        child.stdin.end("end\n");
        await gone;
      },
    };
  },
});
