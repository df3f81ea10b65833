/** The one error class that crosses package borders, and its form on the wire (RFC 9457). */
import { catalogue, type ErrorCode, type ErrorDetails } from "./catalogue.ts";
import type { ErrorDefinition, Retry } from "./define.ts";

/** One requirement that is not met (`error`) or that the user should know of (`warning`). */
export interface Finding {
  code: string;
  severity: "error" | "warning";
  /** What it is about, like `datastore shared` or `port group office`. */
  object?: string | undefined;
  host?: string | undefined;
  /** Where findings of several VMs stand together. */
  vm?: string | undefined;
  message: string;
  remedy: string;
  details: Record<string, unknown>;
  /** The vSphere fault that says the same. */
  vsphereFault?: string | undefined;
}

/** `application/problem+json` as RFC 9457 defines it, with Godwit's members. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  remedy: string;
  retry: Retry;
  details: Record<string, unknown>;
  /** The vSphere fault that says the same. */
  vsphereFault?: string | undefined;
  findings?: Finding[] | undefined;
}

const definitionOf = (code: string): ErrorDefinition<object> | undefined =>
  (catalogue as Record<string, ErrorDefinition<never>>)[code] as ErrorDefinition<object> | undefined;

/** An error of the catalogue. `message` is its sentence. */
export class GodwitError extends Error {
  override readonly name = "GodwitError";
  readonly problem: Problem;

  private constructor(problem: Problem, cause?: unknown) {
    super(problem.detail, { cause });
    this.problem = problem;
  }

  get code(): string {
    return this.problem.code;
  }
  get remedy(): string {
    return this.problem.remedy;
  }
  get retry(): Retry {
    return this.problem.retry;
  }
  get findings(): readonly Finding[] {
    return this.problem.findings ?? [];
  }

  /** Makes an error of the catalogue. */
  static of<C extends ErrorCode>(
    code: C,
    details: ErrorDetails<C>,
    options: { cause?: unknown; findings?: Finding[] } = {},
  ): GodwitError {
    const { cause, findings } = options;
    const problem = problemOf(code, details);
    return new GodwitError(findings === undefined ? problem : { ...problem, findings }, cause);
  }

  /** An error that another process answered; its words are kept. */
  static fromProblem(problem: Problem, cause?: unknown): GodwitError {
    return new GodwitError(problem, cause);
  }

  static is(error: unknown, code?: ErrorCode): error is GodwitError {
    return error instanceof GodwitError && (code === undefined || error.code === code);
  }
}

/** What an error of the catalogue says. */
function problemOf<C extends ErrorCode>(code: C, details: ErrorDetails<C>): Problem {
  const definition = definitionOf(code);
  if (definition === undefined) throw new TypeError(`no error ${code} in the catalogue`);
  const vsphereFault = definition.vsphereFault?.(details);
  return {
    type: `urn:godwit:error:${code}`,
    title: titleOf(code),
    status: definition.status,
    detail: printable(definition.sentence(details)),
    code,
    remedy: printable(definition.remedy(details)),
    retry: definition.retry,
    details: { ...details },
    ...(vsphereFault === undefined ? {} : { vsphereFault }),
  };
}

/** A finding of the requirement checks, with its words from the catalogue: no error, of which there may be many thousands. */
export function finding<C extends ErrorCode>(
  code: C,
  details: ErrorDetails<C>,
  severity: Finding["severity"] = "error",
): Finding {
  return findingOf({ problem: problemOf(code, details) }, severity);
}

/** An error that is told as a finding. */
export function findingOf(
  { problem }: Pick<GodwitError, "problem">,
  severity: Finding["severity"] = "error",
): Finding {
  const { code, detail, remedy, details, vsphereFault } = problem;
  return {
    ...{ code, severity, message: detail, remedy, details },
    ...objectOf(details),
    ...(typeof details.host === "string" ? { host: details.host } : {}),
    ...(vsphereFault === undefined ? {} : { vsphereFault }),
  };
}

/** The narrowest object that an error's details name comes first. */
const objects = [
  ["disk", "disk"],
  ["drive", "CD-ROM drive"],
  ["nic", "network interface"],
  ["datastore", "datastore"],
  ["network", "port group"],
  ["switch", "virtual switch"],
  ["link", "network interface"],
  ["model", "CPU model"],
  ["pool", "pool"],
  ["vm", "VM"],
  ["host", "host"],
] as const;

function objectOf(details: Record<string, unknown>): Pick<Finding, "object"> {
  for (const [key, word] of objects) {
    const name = details[key];
    if (typeof name === "string") return { object: printable(`${word} ${name}`) };
  }
  return {};
}

function titleOf(code: string): string {
  const words = code.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/**
 * A sentence quotes files, programs and names that are not ours: none of them may move a terminal's cursor,
 * colour it, or begin a line of its own.
 */
// eslint-disable-next-line no-control-regex -- it is these that must not come through
const withoutControls = (sentence: string): string => sentence.replace(/[\u0000-\u001f\u007f-\u009f]/g, "·");

/** A sentence that ends with another's words ends once. */
const printable = (sentence: string): string => withoutControls(sentence).replace(/(?<!\.)\.\.$/, ".");
