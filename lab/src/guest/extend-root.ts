/** Files beside the guest's root: a second archive behind it, which the kernel unpacks over it. */
import { appendFile, copyFile, readFile, rm } from "node:fs/promises";
import { run } from "@godwit/system";

/** @param root a folder with the files in their places @param target the guest's initrd, with them @throws PROGRAM_FAILED */
export async function extendRoot(initrd: string, root: string, target: string): Promise<void> {
  const more = `${target}.more`;
  try {
    await run(
      "sh",
      ["-c", 'cd "$1" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1 >"$2"', "pack", root, more],
      { what: "packing what the guest has beside its root", timeoutMs: 120_000 },
    );
    await copyFile(initrd, target);
    await appendFile(target, await readFile(more));
  } finally {
    await rm(more, { force: true });
  }
}
