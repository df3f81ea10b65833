/**
 * The program `godwit`: the first file that Node loads. It turns on V8's compile cache, which keeps compiled code and
 * stripped types of everything loaded after it, and then loads the program. It is JavaScript and imports nothing
 * but Node's own modules, because nothing that is loaded before the cache is on can come from it.
 */
import { lstatSync, mkdirSync, realpathSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/**
 * Code from the cache runs as this user, so nobody else may be able to write it: not into the folder, and not into a
 * folder above it. For root it is never below another user's home, wherever HOME points under sudo.
 */
function cacheFolder() {
  const user = process.getuid();
  const { XDG_CACHE_HOME: named } = process.env;
  const own = named?.startsWith("/") ? named : join(homedir(), ".cache");
  const base = user === 0 ? "/var/cache" : own;
  const folder = join(base, "godwit");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const real = realpathSync(folder);
  for (let path = real; ; path = dirname(path)) {
    const { uid, mode } = lstatSync(path);
    const isOurs = uid === user || (uid === 0 && path !== real);
    const isSticky = (mode & 0o1000) !== 0 && path !== real;
    if (!isOurs || ((mode & 0o022) !== 0 && !isSticky)) throw new Error(`${path} can be written by others`);
    if (path === dirname(path)) return join(real, "compile-cache");
  }
}

try {
  enableCompileCache(cacheFolder());
} catch {
  // Without a cache the program starts a little later, and that is all.
}
await import("./main.ts");
