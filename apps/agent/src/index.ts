/** The daemon of a host: its VMs, its leases, its half of every move. */
export { agentConfigSchema, readAgentConfig, type AgentConfig } from "./config.ts";
export { HostDatastores } from "./datastores/host-datastores.ts";
export { completeAgentConfig } from "./config-file.ts";
export { joinHost } from "./join.ts";
export { initDatastore } from "./datastores/mark-datastore.ts";
export { pausePoints, type PausePointName } from "./moves/pause-points.ts";
export { runAgent } from "./run-agent.ts";
