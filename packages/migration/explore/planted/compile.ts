/**
 * What the compiler says of files with a mistake in them: one program that has each of them beside the sound file,
 * under a name of its own, so that all they share is read and checked once.
 */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import ts from "typescript";
import { planted, type Mistake } from "./sites.ts";

/** What is only left over when an effect is left out does not count: what it does must show. */
const lenient = { incremental: false, noUnusedLocals: false, noUnusedParameters: false };

/** @returns of each mistake that does not compile, by its id, the first error */
export function errorsOf(configPath: string, mistakes: readonly Mistake[]): Map<string, string> {
  const config = ts.readConfigFile(configPath, (path) => readFileSync(path, "utf8"));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, dirname(configPath));
  const texts = new Map(
    mistakes.map((mistake, index) => [
      mistake.path.replace(/\.ts$/, `.planted-${String(index)}.ts`),
      planted(mistake),
    ]),
  );
  const host = ts.createCompilerHost(options);
  host.readFile = (path) => texts.get(path) ?? ts.sys.readFile(path);
  host.fileExists = (path) => texts.has(path) || ts.sys.fileExists(path);
  const program = ts.createProgram([...texts.keys()], { ...options, ...lenient }, host);
  const errors = new Map<string, string>();
  for (const [index, path] of [...texts.keys()].entries()) {
    const file = program.getSourceFile(path);
    const [error] = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
    const id = mistakes[index]?.id;
    if (error !== undefined && id !== undefined)
      errors.set(id, ts.flattenDiagnosticMessageText(error.messageText, " "));
  }
  return errors;
}
