/**
 * The files of a seed, as cloud-init's data source NoCloud reads them. Host name and keys are in its meta-data, so that
 * the user's own data go in as they are: nothing is merged into them. Pure.
 */
import type { CloudInit, VmId } from "@godwit/contract";

export interface SeedFile {
  name: "meta-data" | "user-data" | "network-config";
  content: string;
}

/** The name of the file system by which cloud-init knows a seed. */
export const seedLabel = "cidata";

/** Nothing to be done. The file has to be there. */
const emptyUserData = "#cloud-config\n{}\n";

/** @param id makes it the first boot: a guest whose disk is a copy of another VM's is set up as a new one */
export function seedFiles(
  { id, vm }: { id: VmId; vm: string },
  { hostname, sshKeys = [], userData, networkConfig }: CloudInit,
): SeedFile[] {
  const metaData = {
    "instance-id": id,
    "local-hostname": hostname ?? vm,
    ...(sshKeys.length === 0 ? {} : { "public-keys": sshKeys }),
  };
  return [
    // JSON is YAML, and its quotes are known. The strings are printable ASCII.
    { name: "meta-data", content: `${JSON.stringify(metaData, null, 2)}\n` },
    { name: "user-data", content: userData ?? emptyUserData },
    ...(networkConfig === undefined ? [] : [{ name: "network-config" as const, content: networkConfig }]),
  ];
}
