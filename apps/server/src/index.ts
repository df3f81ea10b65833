/** The control plane: API, inventory, tasks. */
export { dataPaths, initServer, serverName, type DataPaths } from "./data-folder.ts";
export { runServer, type ServerOptions } from "./run-server.ts";
