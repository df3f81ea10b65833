/** Flags and arguments that many commands share. */
import type { Strategy } from "@godwit/contract";

export const jsonFlag = {
  kind: "boolean",
  brief: "Print one JSON document on standard output",
  default: false,
} as const;
export interface JsonFlags {
  json: boolean;
}

export const detachFlag = {
  kind: "boolean",
  brief: "Do not wait for the task to end",
  default: false,
} as const;
export interface TaskFlags extends JsonFlags {
  detach: boolean;
}

export const hostFlag = (what: string) =>
  ({ kind: "parsed", parse: String, brief: `Host ${what}`, optional: true }) as const;

export const nameArgument = (placeholder: string, brief: string) =>
  ({ kind: "tuple", parameters: [{ brief, placeholder, parse: String }] }) as const;

export const vmArgument = nameArgument("vm", "Name or id");
export const hostArgument = nameArgument("host", "Name");
export const poolArgument = nameArgument("pool", "Name");

/** Where the agent's configuration is. */
export const configFlag = {
  kind: "parsed",
  parse: String,
  brief: "The agent's configuration file",
  default: "/etc/godwit/agent.yaml",
} as const;

/** The words of a union as a flag's values; the compiler refuses a list that lacks one. */
export const wordsOf = <Word extends string>(words: Record<Word, true>): Word[] =>
  Object.keys(words) as Word[];

export const strategyFlag = {
  kind: "enum",
  values: wordsOf<Strategy>({ auto: true, precopy: true, postcopy: true }),
  brief: "How memory is moved",
  default: "auto",
} as const;
