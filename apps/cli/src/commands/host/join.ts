/** `godwit host join` */
import { buildCommand } from "@stricli/core";
import { writeLine } from "../../output/screen.ts";
import { requireRoot } from "../../require-root.ts";
import { configFlag } from "../common.ts";

export const joinCommand = buildCommand({
  docs: {
    brief: "Join this host to a Godwit server",
    fullDescription: `Run on the host itself, with the agent's configuration in place.

Example: godwit host join --token gwt1.…`,
  },
  parameters: {
    flags: {
      config: configFlag,
      token: { kind: "parsed", parse: String, brief: "Token from godwit host token" },
    },
  },
  async func(flags: { config: string; token: string }) {
    requireRoot("Joining a host");
    const { joinHost, readAgentConfig } = await import("@godwit/agent");
    const config = await readAgentConfig(flags.config);
    await joinHost(config, flags.token);
    writeLine(`Host ${config.name} has joined ${config.server.url}. Start its agent: godwit agent run`);
  },
});
