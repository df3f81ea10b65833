/** A disk on iSCSI through QEMU's own initiator (libiscsi), which locks nothing. */
import { join } from "node:path";
import { startIscsiTarget } from "@godwit/lab";
import { writeDisk } from "../marks.ts";
import { drive, type Disk, type Place } from "./disk.ts";

/** @throws PROGRAM_FAILED with the target's last words */
export async function iscsiDisk({ folder, namespace }: Place): Promise<Disk> {
  const backing = join(folder, "lun");
  await writeDisk(backing);
  const options = { namespace, folder: join(folder, "iscsi"), address: "127.0.0.1", backing };
  const server = await startIscsiTarget(options);
  const { address, port, target } = server;
  return {
    kind: "iscsi",
    backing,
    argumentsOn: (host) => [
      ...["-iscsi", `initiator-name=iqn.2024-01.test.local:${host}`],
      ...drive(`file=iscsi://${address}:${String(port)}/${target}/1`),
    ],
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
    },
  };
}
