/**
 * Where a mistake can be planted in the reducers: every condition negated, every effect left out, every list of
 * phases or names shortened, every list of the next phases widened. Found in the syntax tree, so that a rule that is
 * added is a rule that is tried.
 */
import { readFileSync } from "node:fs";
import ts from "typescript";
import { destinationPhases, sourcePhases } from "../../src/index.ts";

export type Kind = "negated" | "left out" | "shortened" | "widened";

export interface Mistake {
  /** The same for as long as the code around it is the same: file, kind, and the text that is changed. */
  readonly id: string;
  readonly kind: Kind;
  readonly path: string;
  readonly line: number;
  /** The text between the two offsets is replaced. */
  readonly from: number;
  readonly to: number;
  readonly replacement: string;
}

const isLogical = ({ kind }: ts.Node): boolean =>
  kind === ts.SyntaxKind.AmpersandAmpersandToken || kind === ts.SyntaxKind.BarBarToken;

/** All mistakes that can be planted in one file. */
export function mistakesIn(path: string): Mistake[] {
  const text = readFileSync(path, "utf8");
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
  const found: Omit<Mistake, "id" | "path" | "line">[] = [];
  const negate = (node: ts.Expression): void => {
    const [from, to] = [node.getStart(), node.getEnd()];
    found.push({ kind: "negated", from, to, replacement: `!(${text.slice(from, to)})` });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isIfStatement(node)) negate(node.expression);
    if (ts.isConditionalExpression(node)) negate(node.condition);
    if (ts.isBinaryExpression(node) && isLogical(node.operatorToken)) {
      for (const operand of [node.left, node.right])
        if (!(ts.isBinaryExpression(operand) && isLogical(operand.operatorToken))) negate(operand);
    }
    if (ts.isArrayLiteralExpression(node)) found.push(...mistakesInList(node, text));
    if (ts.isExpressionStatement(node) && /\.push\($/.test(calledAs(node.expression, text))) {
      found.push({ kind: "left out", from: node.getStart(), to: node.getEnd(), replacement: "void 0;" });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return named(found, path, file);
}

/** What is called, up to the parenthesis; empty for what is no call. */
const calledAs = (node: ts.Expression, text: string): string =>
  ts.isCallExpression(node) ? `${text.slice(node.expression.getStart(), node.expression.getEnd())}(` : "";

function mistakesInList(
  list: ts.ArrayLiteralExpression,
  text: string,
): Omit<Mistake, "id" | "path" | "line">[] {
  const namesOnly = list.elements.every((element) => ts.isStringLiteral(element));
  const shorter = list.elements.map((element, index) => ({
    kind: namesOnly ? ("shortened" as const) : ("left out" as const),
    from: list.getStart(),
    to: list.getEnd(),
    replacement: `[${list.elements
      .filter((_, other) => other !== index)
      .map((other) => text.slice(other.getStart(), other.getEnd()))
      .join(", ")}]`,
    element,
  }));
  return [...shorter.map(({ element: _, ...mistake }) => mistake), ...widened(list)];
}

/** A list of next phases with one that is not in it: the reducers make none such, so that one tells for all. */
function widened(list: ts.ArrayLiteralExpression): Omit<Mistake, "id" | "path" | "line">[] {
  const property = list.parent;
  if (!ts.isPropertyAssignment(property) || property.name.getText() !== "next") return [];
  const listed = list.elements.filter(ts.isStringLiteral).map(({ text }) => text);
  const names = [...listed];
  const table = property.getSourceFile().text.lastIndexOf("destinationPhases = {", property.pos) >= 0;
  const own = property.parent.parent;
  if (ts.isPropertyAssignment(own)) names.push(own.name.getText());
  const added = Object.keys(table ? destinationPhases : sourcePhases).find((phase) => !names.includes(phase));
  if (added === undefined) return [];
  const replacement = JSON.stringify([...listed, added]);
  return [{ kind: "widened", from: list.getStart(), to: list.getEnd(), replacement }];
}

function named(
  found: readonly Omit<Mistake, "id" | "path" | "line">[],
  path: string,
  file: ts.SourceFile,
): Mistake[] {
  const times = new Map<string, number>();
  const short = path.slice(path.lastIndexOf("/") + 1);
  return found.map((mistake) => {
    const before = file.text.slice(mistake.from, mistake.to).replace(/\s+/g, " ");
    const what =
      mistake.kind === "negated" ? before : `${before} → ${mistake.replacement.replace(/\s+/g, " ")}`;
    const base = `${short}: ${mistake.kind}: ${what}`;
    const seen = (times.get(base) ?? 0) + 1;
    times.set(base, seen);
    const line = file.getLineAndCharacterOfPosition(mistake.from).line + 1;
    return { ...mistake, id: seen === 1 ? base : `${base} (${String(seen)})`, path, line };
  });
}

/** The file's text with the mistake in it. */
export function planted({ path, from, to, replacement }: Mistake): string {
  const text = readFileSync(path, "utf8");
  return text.slice(0, from) + replacement + text.slice(to);
}
