/** Prints what the guest's redis without a disk answers to one command: `ask-redis.ts ADDRESS COMMAND…`. */
import { setTimeout as sleep } from "node:timers/promises";
import { RedisConnection } from "@godwit/lab";

const [address = "", ...command] = process.argv.slice(2);
const port = 6380;
const patienceMs = 60_000;
const retryMs = 200;

for (const until = performance.now() + patienceMs; ;) {
  try {
    const redis = await RedisConnection.open(address, port);
    console.log(String(await redis.command(...command)));
    redis.close();
    break;
  } catch (error) {
    // A guest that boots opens its ports when it can, and tells nobody.
    if (performance.now() > until) throw error;
    await sleep(retryMs);
  }
}
