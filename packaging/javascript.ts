/**
 * The sources as a package has them: without their types, so that no installation strips these when a program starts, and
 * with imports that name what is there. Lines and columns stay as they are in the sources. Pure.
 */
import { stripTypeScriptTypes } from "node:module";

const imported = /(\bfrom\s+|\bimport\s+|\bimport\(\s*|\bnew URL\(\s*)"([^"\n]+)\.ts"/g;

/** @param source of a module, in TypeScript or JavaScript */
export const javascriptOf = (source: string): string =>
  stripTypeScriptTypes(source).replace(imported, '$1"$2.js"');

/** A workspace's package.json, whose exports name its sources. */
export const manifestOf = (text: string): string => text.replace(/"(\.\/[^"\n]+)\.ts"/g, '"$1.js"');

export const scriptName = (path: string): string => path.replace(/\.ts$/, ".js");
