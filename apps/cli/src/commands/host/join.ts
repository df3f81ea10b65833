/** `godwit host join` */
import { buildCommand } from "@stricli/core";
import { writeLine } from "../../output/screen.ts";
import { requireRoot } from "../../require-root.ts";
import { requireService, startService } from "../../service.ts";
import { configFlag } from "../common.ts";

export const joinCommand = buildCommand({
  docs: {
    brief: "Join this host to a Godwit server",
    fullDescription: `Run on the host itself. Where the agent's configuration does not say the server, the host's name or its address,
they are written into it: as given, or else this machine's name and the address from which it calls the server.
Installed from a package, sanlock gets the host's name, and the agent is started.

Examples:
  godwit host join --server https://godwit.example.com:8443 --token gwt1.…
  godwit host join --server https://10.0.1.2:8443 --name host-a --migration-address 10.0.2.11 --token gwt1.…`,
  },
  parameters: {
    flags: {
      config: configFlag,
      token: { kind: "parsed", parse: String, brief: "Token from godwit host token" },
      adopt: {
        kind: "boolean",
        default: false,
        brief: "Leave the cluster that the host belongs to, whose server is lost; VMs run on",
      },
      server: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "The server's URL, like https://ADDRESS:8443",
      },
      name: { kind: "parsed", parse: String, optional: true, brief: "The host's name in the cluster" },
      address: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "This host's address on the management network",
      },
      migrationAddress: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "This host's address on the migration network",
      },
    },
  },
  async func(flags: JoinFlags) {
    requireRoot("Joining a host");
    requireService("godwit-agent");
    const { completeAgentConfig, joinHost, readAgentConfig } = await import("@godwit/agent");
    await completeAgentConfig(flags.config, flags);
    const config = await readAgentConfig(flags.config);
    const { setUpSanlock } = await import("../../sanlock-settings.ts");
    const left = await setUpSanlock(config.name);
    await joinHost(config, flags.token, flags.adopt);
    writeLine(`Host ${config.name} has joined ${config.server.url}.`);
    const started = flags.config === configFlag.default && (await startService("godwit-agent"));
    if (!started) writeLine("Start its agent: godwit agent run");
    if (left !== null) writeLine(`Still to do: ${left}.`);
  },
});

interface JoinFlags {
  config: string;
  token: string;
  adopt: boolean;
  server?: string;
  name?: string;
  address?: string;
  migrationAddress?: string;
}
