/** A VM's description from a YAML or JSON file; every mistake is reported with its line. */
import { readFile } from "node:fs/promises";
import { GodwitError, isName, vmDescriptionSchema, type VmDescription } from "@godwit/contract";
import { cpuRequestProblems } from "@godwit/cpu";
import { isNode, LineCounter, parseDocument, type Document } from "yaml";
import type { z } from "zod";

/** @throws FILE_UNREADABLE, VM_DESCRIPTION_INVALID; USAGE where it is a VM's name, and no file of that name is there */
export async function readVmFile(path: string): Promise<VmDescription> {
  let text: string;
  try {
    text = await readFile(path === "-" ? "/dev/stdin" : path, "utf8");
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (isMissing && isName(path))
      throw GodwitError.of("USAGE", {
        what: `There is no file ${path}, and no flag describes a VM of that name.`,
        hint: `Describe it with flags: godwit vm create ${path} --memory 2GiB --disk 20GiB; or name its file.`,
      });
    const reason = isMissing ? "it does not exist" : (error as Error).message;
    throw GodwitError.of("FILE_UNREADABLE", { path, reason }, { cause: error });
  }
  return parseVmFile(text, path);
}

/** @throws VM_DESCRIPTION_INVALID with every problem and its line */
export function parseVmFile(text: string, source: string): VmDescription {
  const read = readYaml(text, vmDescriptionSchema, (vm) =>
    cpuRequestProblems(vm?.cpu).map(({ path, message }) => ({ path: ["cpu", ...path], message })),
  );
  if (read.ok) return read.data;
  throw GodwitError.of("VM_DESCRIPTION_INVALID", { source, problems: read.problems });
}

interface Problem {
  path: readonly PropertyKey[];
  message: string;
}

/**
 * YAML or JSON of a schema, with every problem and its line.
 * @param check what the schema cannot say, of the data (null where the schema finds problems) and of the fields as they stand there
 */
export function readYaml<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
  check: (data: z.output<Schema> | null, raw: Readonly<Record<string, unknown>>) => readonly Problem[],
): { ok: true; data: z.output<Schema> } | { ok: false; problems: string[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  if (document.errors.length > 0)
    return {
      ok: false,
      problems: document.errors.map((error) => error.message.split("\n")[0] ?? error.message),
    };
  const value = valueOf(document);
  const parsed = schema.safeParse(value);
  const raw = typeof value === "object" && value !== null ? { ...value } : {};
  const problems = [
    ...(parsed.error?.issues ?? []).flatMap((issue) => problemsOf(issue, document, lines)),
    ...check(parsed.data ?? null, raw).map(({ path, message }) => problemAt(document, lines, path, message)),
  ];
  return parsed.success && problems.length === 0 ? { ok: true, data: parsed.data } : { ok: false, problems };
}

/** Aliases that name each other many times over are too many for the library, which says so. */
function valueOf(document: Document): unknown {
  try {
    return document.toJS();
  } catch {
    return undefined;
  }
}

function problemsOf(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map(
      (key) =>
        `${lineOf(document, lines, [...issue.path, key])}unknown field ${[...issue.path, key].join(".")}`,
    );
  }
  return [problemAt(document, lines, issue.path, issue.message)];
}

function problemAt(
  document: Document,
  lines: LineCounter,
  path: readonly PropertyKey[],
  message: string,
): string {
  const place = path.map(String).join(".");
  return `${lineOf(document, lines, path)}${place === "" ? "" : `${place}: `}${message}`;
}

function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): string {
  const node = nodeAt(document, path);
  return node === null ? "" : `line ${String(lines.linePos(node).line)}: `;
}

/** Where a path begins in the text; the nearest parent's place when it is not there. */
function nodeAt(document: Document, path: readonly PropertyKey[]): number | null {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range != null) return node.range[0];
  }
  return null;
}
