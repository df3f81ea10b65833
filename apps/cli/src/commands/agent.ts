/** `godwit agent …` */
import { readAgentConfig, runAgent } from "@godwit/agent";
import { buildCommand, buildRouteMap } from "@stricli/core";
import { requireRoot } from "../require-root.ts";
import { endSignal, roleLog, sayReady } from "../roles.ts";
import { configFlag } from "./common.ts";

const runCommand = buildCommand({
  docs: {
    brief: "Run this host's agent",
    fullDescription: `VMs run on when the agent stops; a new one finds them again.

Example: godwit agent run --config /etc/godwit/agent.yaml`,
  },
  parameters: { flags: { config: configFlag } },
  async func(flags: { config: string }) {
    requireRoot("The agent starts QEMU, makes taps, and");
    const config = await readAgentConfig(flags.config);
    const log = roleLog("agent");
    await runAgent(config, log, endSignal(), () => {
      sayReady(log);
    });
    process.exit(0); // lines of ended moves may still linger
  },
});

export const agentRoutes = buildRouteMap({
  routes: { run: runCommand },
  defaultCommand: "run",
  docs: { brief: "The agent of a host" },
});
