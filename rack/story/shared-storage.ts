/** Storage that all hosts mount: a disk of the storage server, exported by its kernel, mounted by the hosts' kernels. */
import type { Server } from "../src/server.ts";
import { domain } from "../src/server-settings.ts";

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

export async function mountFolder(host: Server, server: Server): Promise<void> {
  const from = `${server.name}.${domain}:${sharedFolder}`;
  await host.shell(`
mkdir -p ${sharedFolder}
echo '${from} ${sharedFolder} nfs4 rw,noatime,_netdev 0 0' >>/etc/fstab
systemctl daemon-reload
mount ${sharedFolder}
`);
}

/** What the hosts' kernels have mounted, in words. */
export async function storageOf(hosts: readonly Server[]): Promise<string> {
  const versions = hosts.map(async (host) => {
    const options = await host.run("findmnt", "--noheadings", "--output", "OPTIONS", sharedFolder);
    return `NFS ${/\bvers=([\d.]+)/.exec(options)?.[1] ?? "of an unknown version"}`;
  });
  return `${[...new Set(await Promise.all(versions))].join(" and ")} of Linux's server`;
}
