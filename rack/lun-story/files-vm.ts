/** A VM whose disk is a file on the shared folder, with something written on it, and what such files have. */
import { sharedFolder } from "../story/shared-storage.ts";
import type { Server } from "../src/server.ts";
import type { Site } from "../story/site.ts";
import { ended } from "./races.ts";

const writtenBytes = 8 << 20;

/** @returns its disk's path in the shared folder. @throws Error when it was not made */
export async function makeFilesVm(
  site: Site,
  host: Server,
  { name, sizeMib }: { name: string; sizeMib: number },
): Promise<{ path: string }> {
  const disks = [{ name: "data", format: "raw" as const, sizeMib }];
  const description = { name, datastore: "shared", memoryMib: 64, disks };
  const { id } = await site.api.call("vmCreate", { body: { description, host: host.name } });
  const { state, error } = await ended(site, id);
  if (state !== "succeeded") throw new Error(`VM ${name} was not made: ${error?.detail ?? state}`);
  const path = `${name}/data.raw`;
  await site.server.shell(
    `yes godwit | head -c ${String(writtenBytes)} | dd of=${sharedFolder}/${path} bs=1M conv=notrunc,fsync status=none`,
  );
  return { path };
}

/** Checksums of files in the shared folder. */
export async function checksums(site: Site, paths: readonly string[]): Promise<string[]> {
  const files = paths.map((path) => `${sharedFolder}/${path}`).join(" ");
  const lines = (await site.server.shell(`sha256sum ${files}`)).trim().split("\n");
  return lines.map((line) => line.split(" ")[0] ?? "");
}
