/**
 * The tree of commands. Loading a command's file costs time even when the command does not run, so that only the files of
 * the first word on the command line are loaded; the other words are known by name alone.
 */
import { version } from "@godwit/system/version";
import {
  buildApplication,
  buildCommand,
  buildRouteMap,
  generateHelpTextForAllCommands,
  proposeCompletions,
  text_en,
  type Application,
  type Command,
  type CommandContext,
  type RouteMap,
} from "@stricli/core";
import { checkoutOnly, isPackaged, needsCheckout } from "./installation.ts";
import { exitCodeOf, problemText, writeProblem } from "./output/problem.ts";
import { unknownCommandText, usageText } from "./output/usage.ts";
import { summaries } from "./summaries.ts";
import { commandsAt, flagsAt } from "./word-tree.ts";

type Route = Command<CommandContext> | RouteMap<CommandContext>;

/** The first words, in the order of the help. */
const loaders = {
  quickstart: async () => (await import("./commands/quickstart.ts")).quickstartCommand,
  setup: async () => (await import("./commands/setup.ts")).setupCommand,
  vm: async () => (await import("./commands/vm.ts")).vmRoutes,
  host: async () => (await import("./commands/host.ts")).hostRoutes,
  datastore: async () => (await import("./commands/datastore.ts")).datastoreRoutes,
  image: async () => (await import("./commands/image.ts")).imageRoutes,
  switch: async () => (await import("./commands/switch.ts")).switchRoutes,
  network: async () => (await import("./commands/network.ts")).networkRoutes,
  pool: async () => (await import("./commands/pool.ts")).poolRoutes,
  cpu: async () => (await import("./commands/cpu.ts")).cpuRoutes,
  task: async () => (await import("./commands/task.ts")).taskRoutes,
  server: async () => (await import("./commands/server.ts")).serverRoutes,
  agent: async () => (await import("./commands/agent.ts")).agentRoutes,
  lab: async () => (await import("./commands/lab.ts")).labRoutes,
  completion: async () => (await import("./commands/completion.ts")).completionCommand(proposalsFor),
} satisfies Record<string, () => Promise<Route>>;

const notLoaded = buildCommand({
  docs: { brief: "" },
  parameters: {},
  func: () => undefined,
});

/** @returns an application that can parse and run this command line, and no other */
export async function applicationFor(words: readonly string[]): Promise<Application<CommandContext>> {
  const [first = "--help"] = words;
  // The help of the whole program shows them all: groups of commands by their summaries.
  const isHelp = first.startsWith("-") && first !== "--version" && first !== "-v";
  const routes = Object.entries(loaders).map(async ([word, load]): Promise<[string, Route]> => {
    if (isPackaged && checkoutOnly.has(word)) return [word, needsCheckout(word)];
    if (word === first) return [word, await load()];
    if (!isHelp) return [word, notLoaded];
    return [word, word in summaries ? summarized(summaries[word as keyof typeof summaries]) : await load()];
  });
  return applicationOf(Object.fromEntries(await Promise.all(routes)), words);
}

/** The application with all its commands loaded. */
export async function wholeApplication(): Promise<Application<CommandContext>> {
  const routes = Object.entries(loaders).map(async ([word, load]) => [word, await load()] as const);
  return applicationOf(Object.fromEntries(await Promise.all(routes)));
}

/** Each command's words and its help, as `--help` prints it. */
export async function helpOfAllCommands(): Promise<readonly (readonly [route: string, help: string])[]> {
  return generateHelpTextForAllCommands(await wholeApplication());
}

function summarized({ brief, commands }: { brief: string; commands: readonly string[] }): Route {
  const routes = Object.fromEntries(commands.map((command) => [command, notLoaded]));
  return buildRouteMap({ routes, docs: { brief } });
}

/** What may follow these words; the last one may be incomplete. */
async function proposalsFor(words: readonly string[]): Promise<string[]> {
  // To complete the first word, the names are enough.
  const application = await applicationFor(words.length > 1 ? words : ["completion"]);
  const proposals = await proposeCompletions(application, words, { process });
  return proposals.map(({ completion }) => completion);
}

function applicationOf(
  routes: Record<string, Route>,
  words: readonly string[] = [],
): Application<CommandContext> {
  const root = buildRouteMap({
    routes,
    docs: {
      brief: "Godwit: live migration for KVM virtual machines",
      hideRoute: isPackaged ? Object.fromEntries([...checkoutOnly].map((word) => [word, true])) : {},
    },
  });
  return buildApplication(root, {
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
        exceptionWhileRunningCommand: (error) => {
          if (words.includes("--json")) writeProblem(error);
          return problemText(error);
        },
        exceptionWhileParsingArguments: (error) => usageText(error, { words, flags: flagsAt(root, words) }),
        noCommandRegisteredForInput: ({ input }) => unknownCommandText(input, commandsAt(root, words)),
      },
    },
    determineExitCode: exitCodeOf,
  });
}
