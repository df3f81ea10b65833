/** The kernel modules that the image needs, with what those depend on, in the order in which they are loaded. */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { run } from "@godwit/system";

export interface KernelModule {
  name: string;
  /** As the kernel loads it: not compressed. */
  content: Buffer;
}

/**
 * @param folder of the kernel's version, in lib/modules
 * @param wanted names; one that is built into the kernel, or that this kernel does not have, is left out
 */
export async function modulesOf(folder: string, wanted: readonly string[]): Promise<KernelModule[]> {
  const paths = new Map<string, string>();
  for (const path of await readdir(folder, { recursive: true })) {
    if (/\.ko(\.xz|\.zst)?$/.test(path)) paths.set(moduleName(path), join(folder, path));
  }
  const loaded = new Map<string, KernelModule>();
  const load = async (name: string): Promise<void> => {
    const path = paths.get(name);
    if (path === undefined || loaded.has(name)) return;
    const content = await readModule(path);
    for (const other of dependenciesOf(content)) await load(other);
    loaded.set(name, { name, content });
  };
  for (const name of wanted) await load(name);
  return [...loaded.values()];
}

/** A file may spell its module with hyphens; the kernel never does. */
const moduleName = (path: string): string =>
  basename(path)
    .replace(/\.ko.*$/, "")
    .replaceAll("-", "_");

async function readModule(path: string): Promise<Buffer> {
  if (path.endsWith(".ko")) return readFile(path);
  const plain = path.replace(/\.(xz|zst)$/, "");
  const program = path.endsWith(".xz") ? "xz" : "zstd";
  await run(program, ["-q", "-d", "-k", "-f", path], { what: `unpacking module ${basename(path)}` });
  return readFile(plain);
}

/** From the module's own description: `depends=a,b`, closed by a zero. */
function dependenciesOf(content: Buffer): string[] {
  const found = /(?:^|\0)depends=([^\0]*)\0/.exec(content.toString("latin1"));
  return (found?.[1] ?? "")
    .split(",")
    .filter((name) => name !== "")
    .map((name) => name.replaceAll("-", "_"));
}
