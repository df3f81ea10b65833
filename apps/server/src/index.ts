/** The control plane: API, inventory, tasks. */
export { backUpServer, type BackupOptions } from "./backup/back-up.ts";
export type { BackupKey } from "./backup/encryption.ts";
export { restoreServer, type Restored } from "./backup/restore.ts";
export { isHostName, ownNames, type CertificateNames } from "./certificate-names.ts";
export { initServer, openDataFolder, renewServerCertificate } from "./data-folder.ts";
export { dataPaths, serverName, type DataPaths } from "./data-paths.ts";
export { databaseUser, runServer, type ServerOptions } from "./run-server.ts";
