/** Storage that all hosts mount: a disk of the storage server, exported by its kernel, mounted by the hosts' kernels. */
import type { Server } from "../src/server.ts";

/** As the handbook's page on installation has it. */
export const sharedFolder = "/srv/vms";

export async function exportFolder(server: Server): Promise<void> {
  await server.shell(`
mkfs.ext4 -q /dev/vdb
mkdir -p ${sharedFolder}
echo '/dev/vdb ${sharedFolder} ext4 rw,noatime 0 0' >>/etc/fstab
mount ${sharedFolder}
echo '${sharedFolder} *(rw,sync,no_root_squash,no_subtree_check)' >/etc/exports
systemctl enable -q nfs-server
systemctl start nfs-server
`);
}

/** What the hosts' kernels have mounted, in words. */
export async function storageOf(hosts: readonly Server[]): Promise<string> {
  const versions = hosts.map(async (host) => {
    const options = await host.run("findmnt", "--noheadings", "--types", "nfs4,nfs", "--output", "OPTIONS");
    return `NFS ${/\bvers=([\d.]+)/.exec(options)?.[1] ?? "of an unknown version"}`;
  });
  return `${[...new Set(await Promise.all(versions))].join(" and ")} of Linux's server`;
}
