/**
 * Where the leases of a race lie: a file that both hosts have, or one that each host sees through a client of its own, of an NFS
 * server or an iSCSI target. The client is QEMU's (libnfs, libiscsi), which shows what it opened as a file (FUSE): so a kernel
 * without either client does, and nothing is cached between two hosts. Each lease has a file of its own, all of the same bytes: the
 * export of QEMU 7.2 lets a request that comes while it writes change what it writes, and so nothing may come meanwhile.
 */
import { mkdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Program, startIscsiTarget, startNfsServer } from "@godwit/lab";
import { run, until } from "@godwit/system";
import type { DiskKind, Place } from "../split-brain/disks/disk.ts";
import { bytesOf, type LeaseStorage } from "../split-brain/leases.ts";
import type { HostName } from "../split-brain/marks.ts";

export const racers = ["source", "destination"] as const satisfies readonly HostName[];

export interface RaceStorage extends LeaseStorage, AsyncDisposable {}

/** @param count of leases. @throws PROGRAM_FAILED */
export async function raceStorage(kind: DiskKind, place: Place, count: number): Promise<RaceStorage> {
  const served = join(place.folder, "served");
  await mkdir(served);
  const backing = join(served, "leases");
  await writeFile(backing, "");
  await truncate(backing, bytesOf(count));
  if (kind === "file") return { pathOn: () => backing, [Symbol.asyncDispose]: () => Promise.resolve() };
  await using opened = new AsyncDisposableStack();
  const { server, node } = await serve(kind, place, served, backing);
  opened.use(server);
  for (const host of racers) {
    const files = [null, ...Array(count).keys()].map((vm) => ({
      vm,
      path: join(place.folder, nameOf(host, vm)),
    }));
    const client = {
      namespace: place.namespace,
      host,
      node: node(host),
      files: files.map(({ path }) => path),
    };
    opened.use(await clientOf(client, bytesOf(count)));
  }
  const owned = opened.move();
  return {
    pathOn: (host, vm) => join(place.folder, nameOf(host, vm)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function serve(
  kind: "nfs" | "iscsi",
  { folder, namespace }: Place,
  exported: string,
  backing: string,
): Promise<{ server: AsyncDisposable; node: (host: HostName) => object }> {
  if (kind === "nfs") {
    const server = await startNfsServer({ namespace, folder: join(folder, "nfs"), exported });
    const from = { type: "inet", host: "127.0.0.1" };
    return { server, node: () => ({ driver: "nfs", server: from, path: "/export/leases" }) };
  }
  const options = { namespace, folder: join(folder, "iscsi"), address: "127.0.0.1", backing };
  const server = await startIscsiTarget(options);
  const { address, port, target } = server;
  const portal = { driver: "iscsi", transport: "tcp", portal: `${address}:${String(port)}`, target, lun: 1 };
  return {
    server,
    node: (host) => ({ ...portal, "initiator-name": `iqn.2024-01.test.local:${host}` }),
  };
}

const nameOf = (host: HostName, vm: number | null): string =>
  `leases-of-${host}-${vm === null ? "hosts" : String(vm)}`;

/** A host's own client of the storage, which shows it as each of the files. */
async function clientOf(
  { namespace, host, node, files }: { namespace: string; host: HostName; node: object; files: string[] },
  bytes: number,
): Promise<AsyncDisposable> {
  for (const path of files) await writeFile(path, "");
  const program = await Program.start({
    what: `the storage client of host ${host}`,
    // Not `ip netns exec`, which would mount it where nobody else sees it.
    argv: [
      ...["nsenter", `--net=/run/netns/${namespace}`, "qemu-storage-daemon"],
      ...["--blockdev", JSON.stringify({ ...node, "node-name": "leases", cache: { direct: true } })],
      ...files.flatMap((path, index) => [
        "--export",
        `type=fuse,id=leases-${String(index)},node-name=leases,mountpoint=${path},writable=on`,
      ]),
    ],
  });
  const dispose = async () => {
    await run("umount", ["--lazy", ...files], { what: "removing the mounts", okCodes: [0, 1, 32] });
    await program.end();
  };
  const isThere = async () =>
    program.isOver ||
    (await Promise.all(files.map((path) => stat(path)))).every(({ size }) => size === bytes);
  if (!(await until(isThere, { everyMs: 20, limitMs: 60_000 })) || program.isOver) {
    await dispose();
    throw program.failed("the storage was not there in time");
  }
  return { [Symbol.asyncDispose]: dispose };
}
