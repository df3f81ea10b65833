/** What may stand at a place of a command line, as users type it: the commands, and a command's flags. Pure. */
import type { Command, CommandContext, RouteMap } from "@stricli/core";

type Target = Command<CommandContext> | RouteMap<CommandContext>;

/** The names that may follow the words which name groups of commands; none after a command. */
export function commandsAt(root: RouteMap<CommandContext>, words: readonly string[]): string[] {
  const target = targetOf(root, words);
  if (!isRouteMap(target)) return [];
  return target
    .getAllEntries()
    .filter(({ hidden }) => !hidden)
    .map(({ name }) => name["convert-camel-to-kebab"]);
}

/** The flags of the command that the words begin with, without dashes; none where they begin with none. */
export function flagsAt(root: RouteMap<CommandContext>, words: readonly string[]): string[] {
  const target = targetOf(root, words);
  if (isRouteMap(target)) return [];
  const flags = Object.entries(target.parameters.flags ?? {}).flatMap(([name, flag]) => {
    const isNegatable = flag.kind === "boolean" && flag.withNegated !== false;
    return isNegatable ? [kebab(name), `no-${kebab(name)}`] : [kebab(name)];
  });
  return [...flags, "help"];
}

function targetOf(root: RouteMap<CommandContext>, words: readonly string[]): Target {
  let target: Target = root;
  for (const word of words) {
    if (!isRouteMap(target)) break;
    const next: Target | undefined = target.getRoutingTargetForInput(camel(word));
    if (next === undefined) break;
    target = next;
  }
  return target;
}

const isRouteMap = (target: Target): target is RouteMap<CommandContext> => "getAllEntries" in target;
const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const camel = (word: string): string =>
  word.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
