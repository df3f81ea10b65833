/** What is said of volumes by those who have them: each host's device-mapper, and LVM's metadata as it lies on the LUN. */
import type { Server } from "../src/server.ts";

/** Hosts on which a VM's volumes are active, by their kernels. */
export async function activeOn(hosts: readonly Server[], vmId: string): Promise<string[]> {
  const looks = hosts.map(async (host) => {
    if (!(await host.isOn())) return [];
    const names = await host.shell("cat /sys/class/block/dm-*/dm/name 2>/dev/null || true");
    return names.includes(`-vol.${vmId.replaceAll("-", "")}.`) ? [host.name] : [];
  });
  return (await Promise.all(looks)).flat().sort();
}

export interface Metadata {
  /** Names of VMs' volumes. */
  volumes: string[];
  /** Extents that two volumes have. */
  shared: string[];
}

/** An LVM command with the group's system ID, on that LUN alone. */
export async function lvmOn(host: Server, wwn: string, [command = "", ...args]: string[]): Promise<string> {
  const config = 'global{system_id_source="lvmlocal"} local{system_id="godwit"} backup{backup=0 archive=0}';
  return await host.run(
    ...["env", "LVM_SUPPRESS_FD_WARNINGS=1", command, "--devices", `/dev/disk/by-id/${wwn}`],
    ...["--config", config, ...args],
  );
}

/** Numbers of extents by the volume. */
export async function extentsOn(host: Server, wwn: string): Promise<Map<string, number[]>> {
  const fields = ["--noheadings", "--separator", "|", "-o", "lv_name,seg_pe_ranges"];
  const text = await lvmOn(host, wwn, ["lvs", ...fields]);
  const extents = new Map<string, number[]>();
  for (const line of text.split("\n").filter((one) => one.includes("|"))) {
    const [name = "", ranges = ""] = line.trim().split("|");
    const of = extents.get(name) ?? [];
    for (const [, from, to] of ranges.matchAll(/:(\d+)-(\d+)/g))
      for (let extent = Number(from); extent <= Number(to); extent++) of.push(extent);
    extents.set(name, of);
  }
  return extents;
}

export async function metadataOn(host: Server, wwn: string): Promise<Metadata> {
  const extents = await extentsOn(host, wwn);
  const owners = new Map<number, string>();
  const shared: string[] = [];
  for (const [name, of] of extents) {
    for (const extent of of) {
      const other = owners.get(extent);
      if (other !== undefined) shared.push(`${String(extent)} of ${other} and ${name}`);
      owners.set(extent, name);
    }
  }
  return { volumes: [...extents.keys()].filter((name) => name.startsWith("vol.")), shared };
}

/** Volumes of VMs that a host's LVM activates as it does at boot: none. */
export async function activatedByBoot(host: Server): Promise<string[]> {
  const list = "cat /sys/class/block/dm-*/dm/name 2>/dev/null || true";
  const before = new Set((await host.shell(list)).split("\n"));
  await host.shell("vgchange --activate ay >/dev/null 2>&1 || true");
  const names = (await host.shell(list)).split("\n");
  return names.filter((name) => name.includes("-vol.") && !before.has(name));
}

/** A volume that is written and removed. @returns its extents */
export async function leaveDirty(host: Server, wwn: string, sizeMib: number): Promise<Set<number>> {
  const group = (await lvmOn(host, wwn, ["vgs", "--noheadings", "-o", "vg_name"])).trim();
  const made = ["--name", "dirty", "--size", `${String(sizeMib)}m`, "--type", "linear", "--yes"];
  await lvmOn(host, wwn, ["lvcreate", ...made, "--wipesignatures", "n", group]);
  await host.shell(
    `tr '\\0' x </dev/zero | dd of=/dev/mapper/${group}-dirty bs=1M count=${String(sizeMib)} iflag=fullblock oflag=direct status=none`,
  );
  const extents = new Set((await extentsOn(host, wwn)).get("dirty") ?? []);
  await lvmOn(host, wwn, ["lvremove", "--yes", `${group}/dirty`]);
  return extents;
}

/** How many of the last bytes of a volume that is active on the host are not zero. */
export async function notZeroIn(host: Server, volume: string, bytes: number): Promise<number> {
  const device = `/dev/mapper/*-${volume.replaceAll("-", "--")}`;
  return Number(await host.shell(`tail -c ${String(bytes)} ${device} | tr -d '\\0' | wc -c`));
}
