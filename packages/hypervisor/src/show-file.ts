/** What a running QEMU sees of its host, changed while it runs: `confine-qemu.pl` made it. */
import { fileURLToPath } from "node:url";
import { run } from "@godwit/system";

const program = fileURLToPath(new URL("show-file.pl", import.meta.url));

const words = { show: "visible", lend: "writable", hide: "invisible" } as const;

/** Makes a file or a block device a part of what a running QEMU sees, read-only (`show`) or for writing (`lend`), or takes it away again. */
export async function showFile(pid: number, path: string, how: keyof typeof words): Promise<void> {
  await run("/usr/bin/perl", [program, String(pid), how, path], {
    what: `making ${path} ${words[how]} to QEMU`,
    timeoutMs: 10_000,
  });
}
