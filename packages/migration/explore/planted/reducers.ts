/**
 * The reducers with a mistake in one file, beside the sound ones in the same process: modules of their own, which share
 * all that lies outside of the package. Nothing is written anywhere.
 */
import { readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as reducers from "../../src/index.ts";
import type { Protocol } from "../protocol.ts";

const folder = join(import.meta.dirname, "../../src");
const folderUrl = `${pathToFileURL(folder).href}/`;
const mark = "?planted=";

export type Reducers = typeof reducers;

/** What each planted number changes: the file and its text. */
const changed = new Map<string, { path: string; text: string }>();
const sound = new Map<string, string>();
let planted = 0;

registerHooks({
  resolve: (asked, context, next) => {
    const found = next(asked, context);
    const from = context.parentURL ?? "";
    const number = from.indexOf(mark);
    if (number < 0 || !found.url.startsWith(folderUrl) || found.url.includes(mark)) return found;
    return { ...found, url: found.url + from.slice(number) };
  },
  load: (url, context, next) => {
    const at = url.indexOf(mark);
    if (at < 0) return next(url, context);
    const path = fileURLToPath(url.slice(0, at));
    const change = changed.get(url.slice(at));
    let source = sound.get(path);
    if (change?.path === path) source = stripTypeScriptTypes(change.text);
    else if (source === undefined) {
      source = stripTypeScriptTypes(readFileSync(path, "utf8"));
      sound.set(path, source);
    }
    return { format: "module", source, shortCircuit: true };
  },
});

/** @throws what loading them throws */
export async function reducersWith(path: string, text: string): Promise<Reducers> {
  const query = `${mark}${String((planted += 1))}`;
  changed.set(query, { path, text });
  try {
    return (await import(`${folderUrl}index.ts${query}`)) as Reducers;
  } finally {
    changed.delete(query);
  }
}

/** What the explorer asks of them; their refusal of an unlisted transition counts as the sound ones'. */
export function protocolOf(some: Reducers, unlisted: typeof reducers.UnlistedTransition): Protocol {
  const asked =
    <Args extends unknown[], Answer>(answer: (...args: Args) => Answer) =>
    (...args: Args): Answer => {
      try {
        return answer(...args);
      } catch (error) {
        if (!(error instanceof some.UnlistedTransition)) throw error;
        const said = new unlisted("", "", "");
        said.message = error.message;
        throw said;
      }
    };
  return {
    initialSource: asked(some.initialSource),
    stepSource: asked(some.stepSource),
    restoreSource: asked(some.restoreSource),
    startDestination: asked(some.startDestination),
    stepDestination: asked(some.stepDestination),
    restoreDestination: asked(some.restoreDestination),
    decideLease: asked(some.decideLease),
    reconcileLeases: asked(some.reconcileLeases),
    hearWithoutMove: asked(some.hearWithoutMove),
    vitalSourceEntries: some.vitalSourceEntries,
    vitalDestinationEntries: some.vitalDestinationEntries,
  };
}
