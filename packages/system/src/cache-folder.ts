/**
 * Where this user's programs keep what they can make again. Root's is below /var: under sudo, HOME may be that of a
 * user whose files root must not take for its own.
 */
import { homedir } from "node:os";
import { join } from "node:path";

export function cacheFolder(): string {
  if (process.getuid?.() === 0) return "/var/cache/godwit";
  const named = process.env.XDG_CACHE_HOME;
  return join(named?.startsWith("/") === true ? named : join(homedir(), ".cache"), "godwit");
}
