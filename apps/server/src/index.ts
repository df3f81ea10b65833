/** The control plane: API, inventory, tasks. */
export { initServer } from "./data-folder.ts";
export { dataPaths, serverName, type DataPaths } from "./data-paths.ts";
export { runServer, type ServerOptions } from "./run-server.ts";
