/** The tree of commands. */
import { GodwitError } from "@godwit/contract";
import {
  buildApplication,
  buildRouteMap,
  proposeCompletions,
  text_en,
  type Application,
  type CommandContext,
} from "@stricli/core";
import { agentRoutes } from "./commands/agent.ts";
import { completionCommand } from "./commands/completion.ts";
import { cpuRoutes } from "./commands/cpu.ts";
import { hostRoutes } from "./commands/host.ts";
import { labRoutes } from "./commands/lab.ts";
import { poolRoutes } from "./commands/pool.ts";
import { quickstartCommand } from "./commands/quickstart.ts";
import { serverRoutes } from "./commands/server.ts";
import { setupCommand } from "./commands/setup.ts";
import { taskRoutes } from "./commands/task.ts";
import { vmRoutes } from "./commands/vm.ts";
import { exitCodeOf, problemText } from "./output/problem.ts";
import { version } from "@godwit/system";

const routes = buildRouteMap({
  routes: {
    quickstart: quickstartCommand,
    setup: setupCommand,
    vm: vmRoutes,
    host: hostRoutes,
    pool: poolRoutes,
    cpu: cpuRoutes,
    task: taskRoutes,
    server: serverRoutes,
    agent: agentRoutes,
    lab: labRoutes,
    completion: completionCommand(async (words) => {
      const proposals = await proposeCompletions(app, words, { process });
      return proposals.map(({ completion }) => completion);
    }),
  },
  docs: { brief: "Godwit: live migration for KVM virtual machines" },
});

export const app: Application<CommandContext> = buildApplication(routes, {
  name: "godwit",
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- its successor is not documented yet
  versionInfo: { currentVersion: version },
  scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
  documentation: {
    caseStyle: "convert-camel-to-kebab",
    disableAnsiColor: process.env.NO_COLOR !== undefined,
  },
  localization: {
    text: {
      ...text_en,
      exceptionWhileRunningCommand: (error) => problemText(error),
      exceptionWhileParsingArguments: (error) => {
        const { exception } = error as { exception?: unknown };
        if (GodwitError.is(exception)) return problemText(exception);
        const words = error instanceof Error ? error.message : String(error);
        return `${words}
  The command's --help shows how it is used.`;
      },
    },
  },
  determineExitCode: exitCodeOf,
});
