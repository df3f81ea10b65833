/**
 * The disks of a QEMU that waits for its VM, offered to the VM's QEMU on another host: that writes to them over NBD, with TLS,
 * and nobody else can. They are offered until the guest is about to run here.
 */
import { once } from "node:events";
import { GodwitError, type PortRange } from "@godwit/contract";
import { listenInRange } from "@godwit/system";
import { diskNodeNames } from "./disk-nodes.ts";
import { authorisation, credentials } from "./migration-port.ts";
import { passing } from "./passing.ts";
import type { QemuProcess } from "./qemu-process.ts";

/** Between the look for a free port and QEMU's own attempt somebody else may take it. */
const attempts = 5;

/**
 * Offers all disks of the VM, each by its name. The credentials are those of its migration stream, which are there already.
 * @returns the port, one of the range
 * @throws QMP_REFUSED, MIGRATION_PORTS_TAKEN
 */
export async function offerDisks(
  { qmp, spec }: QemuProcess,
  { host, address, ports }: { host: string; address: string; ports: PortRange },
): Promise<number> {
  const disks = spec.vm.disks.map(({ name }) => name);
  const taken = () => GodwitError.of("MIGRATION_PORTS_TAKEN", { host, address, ...ports });
  const listen = async (left: number): Promise<number> => {
    const found = await listenInRange(address, ports);
    if (found === null) throw taken();
    found.server.close();
    await once(found.server, "close");
    try {
      await qmp.execute("nbd-server-start", {
        addr: { type: "inet", data: { host: address, port: String(found.port) } },
        "tls-creds": credentials,
        "tls-authz": authorisation,
        "max-connections": disks.length,
      });
      return found.port;
    } catch (error) {
      const isTaken =
        GodwitError.is(error, "QMP_REFUSED") && error.message.includes("Address already in use");
      if (!isTaken) throw error;
      if (left === 0) throw taken();
      return await listen(left - 1);
    }
  };
  const port = await listen(attempts);
  for (const name of disks)
    await qmp.execute("block-export-add", {
      ...{ type: "nbd", id: `arrive-${name}`, name, writable: true },
      "node-name": diskNodeNames(name)[0].format,
    });
  return port;
}

/** Nobody but its guest writes to the disks any more. Repeated without harm. */
export async function withdrawDisks({ qmp }: QemuProcess): Promise<void> {
  await passing(qmp.execute("nbd-server-stop"), /not running/i);
}
