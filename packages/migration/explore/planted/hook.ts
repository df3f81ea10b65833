/** Loaded before a trial: one file of the reducers is read with a mistake in it. Nothing is written anywhere. */
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const { path, text } = JSON.parse(process.env.GODWIT_PLANTED ?? "{}") as { path?: string; text?: string };

if (path !== undefined && text !== undefined) {
  const url = pathToFileURL(path).href;
  registerHooks({
    load: (asked, context, next) =>
      asked === url
        ? { format: "module-typescript", source: text, shortCircuit: true }
        : next(asked, context),
  });
}
