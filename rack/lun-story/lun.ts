/** A LUN that hosts share: a file of the storage server, exported by its kernel's iSCSI target, with sessions of each host's kernel. */
import { until } from "@godwit/system";
import type { Network } from "../src/networks.ts";
import type { Server } from "../src/server.ts";

const target = "iqn.2026-01.com.example:san";
const image = "/srv/lun.img";
const limitMs = 120_000;

/** As the handbook has it for hosts that use several paths. */
const multipathConf = `defaults {
  user_friendly_names yes
  find_multipaths yes
  no_path_retry 12
}
`;

/**
 * @param paths networks that lead to it; of several, the hosts have a multipath map
 * @returns its WWN as /dev/disk/by-id has it, the same on all hosts. @throws Error
 */
export async function shareLun(
  storage: Server,
  hosts: readonly Server[],
  paths: readonly Network[],
): Promise<string> {
  await storage.shell(`
test -e ${image} && exit 0
truncate -s 3G ${image}
mkdir -p /etc/rtslib-fb-target/pr
modprobe target_core_mod 2>/dev/null
mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
targetcli /backstores/fileio create lun0 ${image}
targetcli /iscsi create ${target}
targetcli /iscsi/${target}/tpg1/luns create /backstores/fileio/lun0
targetcli /iscsi/${target}/tpg1 set attribute authentication=0 demo_mode_write_protect=0 generate_node_acls=1 cache_dynamic_acls=1
`);
  const portals = paths.map((network) => storage.address(network));
  const found = await Promise.all(
    hosts.map(async (host) => {
      if (paths.length > 1) await host.write("/etc/multipath.conf", multipathConf);
      return await logIn(host, portals);
    }),
  );
  const [wwn] = found;
  if (wwn === undefined || found.some((other) => other !== wwn))
    throw new Error(`the hosts see different LUNs: ${found.join(", ")}`);
  return wwn;
}

/** Servers that start from one saved state have one initiator name, of which the target would keep one session. */
async function logIn(host: Server, portals: readonly string[]): Promise<string> {
  const discover = portals.map((portal) => `iscsiadm -m discovery -t sendtargets -p ${portal}`).join("\n");
  const several = `
iscsiadm -m node -T ${target} --op update -n node.session.timeo.replacement_timeout -v 15
systemctl enable -q multipathd
systemctl restart multipathd`;
  await host.shell(`
iscsiadm -m session 2>/dev/null | grep -q ${target} && exit 0
echo InitiatorName=iqn.2026-01.com.example:host-${host.name} >/etc/iscsi/initiatorname.iscsi
systemctl enable -q iscsid open-iscsi
systemctl restart iscsid
${discover}
iscsiadm -m node -T ${target} --op update -n node.startup -v automatic
${portals.length > 1 ? several : ""}
iscsiadm -m node -T ${target} --login
`);
  const name = await until(
    async () => {
      if (portals.length > 1 && (await pathsOf(host)).length < portals.length) return null;
      const [first = ""] = (await host.shell("ls /dev/disk/by-id | grep '^wwn-' || true")).trim().split("\n");
      return first === "" ? null : first;
    },
    { everyMs: 1000, limitMs },
  );
  if (name === null) throw new Error(`${host.name} sees no LUN, or not all paths of it`);
  return name;
}

/** The paths of the host's multipath map that work, by the kernel's names, as multipathd has them. */
export async function pathsOf(host: Server): Promise<string[]> {
  const text = await host.shell("multipathd show paths raw format '%d %t' || true");
  return text.split("\n").flatMap((line) => {
    const [, path] = /^(sd[a-z]+) +active$/.exec(line.trim()) ?? [];
    return path === undefined ? [] : [path];
  });
}
