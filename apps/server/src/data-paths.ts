/** What a client on the same machine needs of the server: where its files are, and its name. */
import { join } from "node:path";

/** The name in the server's certificate; callers expect it whatever address they call. */
export const serverName = "godwit-server";

/** Of the programs that fence hosts at datastores, where nothing else is said. */
export const usualFenceFolder = "/etc/godwit/fence";

export interface DataPaths {
  caCertificate: string;
  adminToken: string;
  database: string;
  databaseSocket: string;
}

export const dataPaths = (path: string): DataPaths => ({
  caCertificate: join(path, "pki/ca-cert.pem"),
  adminToken: join(path, "admin-token"),
  database: join(path, "database"),
  databaseSocket: join(path, "database-socket"),
});
