/** Who holds a VM's lease, asked of the lease service as a host asks it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "@godwit/client";
import { serverOperations, type Lease, type VmId } from "@godwit/contract";
import type { Lab } from "@godwit/lab";

/** @throws what the connection throws */
export async function leaseOf(lab: Lab, vmId: VmId): Promise<Lease> {
  const [host] = lab.hosts;
  const pki = join(lab.stateFolder(host?.name ?? ""), "agent/pki");
  const read = async (name: string) => await readFile(join(pki, name), "utf8");
  const [ca, cert, key] = await Promise.all(["ca-cert.pem", "host-cert.pem", "host-key.pem"].map(read));
  if (ca === undefined || cert === undefined || key === undefined) throw new Error("the host has not joined");
  const client = new Client(serverOperations, {
    baseUrl: lab.apiUrl,
    tls: { ca, cert, key, servername: "godwit-server", unit: "server" },
    timeoutMs: 3000,
  });
  try {
    return await client.call("leaseShow", { params: { vmId } });
  } finally {
    await client.close();
  }
}
