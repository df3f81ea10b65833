/** Prints by how many milliseconds redis' clock is ahead of this one's: `read-clock.ts ADDRESS`. The quickest of some answers tells best. */
import { RedisConnection } from "./redis-connection.ts";

const [address = ""] = process.argv.slice(2);
const redis = await RedisConnection.open(address, 6379);
let best = { tookMs: Infinity, offsetMs: NaN };
for (let question = 0; question < 20; question++) {
  const before = performance.timeOrigin + performance.now();
  const [seconds, microseconds] = (await redis.command("TIME")) as [string, string];
  const after = performance.timeOrigin + performance.now();
  const guestMs = Number(seconds) * 1000 + Number(microseconds) / 1000;
  if (after - before < best.tookMs)
    best = { tookMs: after - before, offsetMs: guestMs - (before + after) / 2 };
}
console.log(best.offsetMs.toFixed(1));
redis.close();
