/** What the compiler says of a file with a mistake in it. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import ts from "typescript";

export interface Compiler {
  /** The first error in the file with this text instead of its own; null when there is none. */
  errorIn: (path: string, text: string) => string | null;
}

/** @param roots the files that are compiled, with all that they import */
export function makeCompiler(configPath: string, roots: readonly string[]): Compiler {
  const config = ts.readConfigFile(configPath, (path) => readFileSync(path, "utf8"));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, dirname(configPath));
  let changed = { path: "", text: "" };
  let version = 0;
  const versions = new Map<string, number>();
  const service = ts.createLanguageService({
    fileExists: (path) => ts.sys.fileExists(path),
    readFile: (path) => ts.sys.readFile(path),
    directoryExists: (path) => ts.sys.directoryExists(path),
    realpath: (path) => ts.sys.realpath?.(path) ?? path,
    useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
    getCompilationSettings: () => options,
    getScriptFileNames: () => [...roots],
    getScriptVersion: (path) => String(versions.get(path) ?? 0),
    getScriptSnapshot: (path) => {
      const text = path === changed.path ? changed.text : ts.sys.readFile(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => dirname(configPath),
    getDefaultLibFileName: ts.getDefaultLibFilePath,
  });
  return {
    errorIn: (path, text) => {
      changed = { path, text };
      versions.set(path, (version += 1));
      const [error] = [...service.getSyntacticDiagnostics(path), ...service.getSemanticDiagnostics(path)];
      changed = { path: "", text: "" };
      versions.set(path, (version += 1));
      return error === undefined ? null : ts.flattenDiagnosticMessageText(error.messageText, " ");
    },
  };
}
