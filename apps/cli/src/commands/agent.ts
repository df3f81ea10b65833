/** `godwit agent …` */
import { buildCommand, buildRouteMap } from "@stricli/core";
import { requireRoot } from "../require-root.ts";
import { configFlag } from "./common.ts";
import { summaries } from "../summaries.ts";

const runCommand = buildCommand({
  docs: {
    brief: "Run this host's agent",
    fullDescription: `VMs continue to run when the agent stops; the next agent adopts them.

Example: godwit agent run --config /etc/godwit/agent.yaml`,
  },
  parameters: { flags: { config: configFlag } },
  async func(flags: { config: string }) {
    requireRoot("The agent starts QEMU, creates taps, and");
    const [{ readAgentConfig, runAgent }, { endSignal, roleLog, notifyReady }] = await Promise.all([
      import("@godwit/agent"),
      import("../roles.ts"),
    ]);
    const config = await readAgentConfig(flags.config);
    const log = roleLog("agent");
    await runAgent(config, log, endSignal(), () => {
      notifyReady(log);
    });
    process.exit(0); // connections of moves that have ended may still be open
  },
});

export const agentRoutes = buildRouteMap({
  routes: { run: runCommand },
  defaultCommand: "run",
  docs: { brief: summaries.agent.brief },
});
