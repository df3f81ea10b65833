/**
 * The state of a server that has booted: its disk, and its memory and devices as QEMU's migration writes them to a
 * file. Starting from it takes seconds where booting takes minutes. Kept for each hardware, QEMU and root.
 */
import { createHash } from "node:crypto";
import { access, copyFile, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { QmpSession } from "@godwit/qmp";
import { GodwitError } from "@godwit/contract";
import { until } from "@godwit/system";
import { cacheFolder } from "./names.ts";
import type { ServerFiles } from "./server-spec.ts";

const limitMs = 600_000;

export interface SavedState {
  folder: string;
  disk: string;
  memory: string;
}

/** @param content all that it depends on: root, QEMU, command line */
export function savedStateOf(suite: string, content: readonly string[]): SavedState {
  const key = createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 12);
  const folder = join(cacheFolder, "booted", `${suite}-${key}`);
  return { folder, disk: join(folder, "disk.qcow2"), memory: join(folder, "memory") };
}

export async function isSaved(state: SavedState): Promise<boolean> {
  return await access(state.memory).then(
    () => true,
    () => false,
  );
}

/** Stops the server and keeps what it is now. It does not run on: its disk belongs to the state. @throws PROGRAM_FAILED */
export async function save(qmp: QmpSession, files: ServerFiles, state: SavedState): Promise<void> {
  await mkdir(dirname(state.folder), { recursive: true });
  const making = await mkdtemp(`${state.folder}-making-`);
  try {
    await qmp.execute("migrate-set-parameters", { "max-bandwidth": 2 ** 40 });
    await qmp.execute("migrate", { uri: `file:${join(making, "memory")}` });
    await migrated(qmp, "saving a server's state");
    await qmp.execute("quit", undefined, { timeoutMs: limitMs });
    await qmp.ended;
    await copyFile(files.disk, join(making, "disk.qcow2"));
    await rm(state.folder, { recursive: true, force: true });
    await rename(making, state.folder);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

/** Fills a QEMU that was started with `-incoming defer`, and lets it run. @throws PROGRAM_FAILED */
export async function restore(qmp: QmpSession, state: SavedState): Promise<void> {
  await qmp.execute("migrate-incoming", { uri: `file:${state.memory}` }, { timeoutMs: limitMs });
  await migrated(qmp, "starting a server from its saved state");
}

async function migrated(qmp: QmpSession, what: string): Promise<void> {
  // Its events are a capability of its own, which the destination of a file would have to have had in time.
  const end = await until(
    async () => {
      const { status, "error-desc": reason } = await qmp.execute("query-migrate", undefined, {
        timeoutMs: limitMs,
      });
      return status === "completed" || status === "failed" ? { status, reason } : null;
    },
    { everyMs: 200, limitMs },
  );
  if (end?.status === "completed") return;
  const output = end?.reason ?? "it did not end";
  throw GodwitError.of("PROGRAM_FAILED", { program: "qemu-system-x86_64", what, output });
}
