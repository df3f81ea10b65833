/** The daemon of a host: its VMs, its leases, its half of every move. */
export { agentConfigSchema, readAgentConfig, type AgentConfig } from "./config.ts";
export { joinHost } from "./join.ts";
export { runAgent } from "./run-agent.ts";
