/** The volume group that makes a LUN a datastore: its name, its tags, its volumes of leases, and whether it is that of this LUN. Pure. */
import type { DatastoreId } from "@godwit/contract";
import type { GroupOnLun } from "./lvm.ts";

/** In a group that is whole: made, with its leases. */
export const readyTag = "godwit.ready";
export const leasesVolume = "leases";
export const lockVolume = "lock";
export const wwnTag = (wwn: string): string => `wwn.${wwn}`;
export const groupName = (id: string): string => `godwit.${id.replaceAll("-", "")}`;

/** Null: the group is not Godwit's. Pure. */
export function idOfGroup(name: string): DatastoreId | null {
  const [, hex] = /^godwit\.([0-9a-f]{32})$/.exec(name) ?? [];
  if (hex === undefined) return null;
  const at = [0, 8, 12, 16, 20, 32];
  return at
    .slice(1)
    .map((end, index) => hex.slice(at[index], end))
    .join("-") as DatastoreId;
}

type GroupFound = { id: DatastoreId; group: GroupOnLun } | { problem: string; isUnmarked: boolean };

/** The group that makes a LUN this datastore. Pure. */
export function groupOf(groups: readonly GroupOnLun[], wwn: string): GroupFound {
  const own = groups.flatMap((group) => {
    const id = idOfGroup(group.name);
    return id === null ? [] : [{ id, group }];
  });
  const [found, other] = own;
  if (found === undefined)
    return { problem: "is not marked as a datastore: it is another LUN, or it is new", isUnmarked: true };
  const wrong = (problem: string) => ({ problem, isUnmarked: false });
  if (other !== undefined) return wrong("has several volume groups of Godwit's");
  const { tags, isWhole } = found.group;
  if (!tags.includes(wwnTag(wwn)))
    return wrong("has the volume group of another LUN: it is a copy of that, or its WWN has changed");
  if (!tags.includes(readyTag))
    return { problem: "is not marked as a datastore: its marking did not end", isUnmarked: true };
  if (!isWhole) return wrong("has a volume group that cannot be written, or that is not whole");
  return found;
}
