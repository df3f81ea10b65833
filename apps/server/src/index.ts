/** The control plane: API, inventory, tasks. */
export { isHostName, ownNames, type CertificateNames } from "./certificate-names.ts";
export { initServer, openDataFolder, renewServerCertificate } from "./data-folder.ts";
export { dataPaths, serverName, type DataPaths } from "./data-paths.ts";
export { runServer, type ServerOptions } from "./run-server.ts";
