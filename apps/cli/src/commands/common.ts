/** Flags and arguments that many commands share. */

export const jsonFlag = {
  kind: "boolean",
  brief: "Print one JSON document on standard output",
  default: false,
} as const;

export const detachFlag = {
  kind: "boolean",
  brief: "Do not wait for the end",
  default: false,
} as const;

export const hostFlag = (what: string) =>
  ({ kind: "parsed", parse: String, brief: `Host ${what}`, optional: true }) as const;

export const nameArgument = (placeholder: string, brief: string) =>
  ({ kind: "tuple", parameters: [{ brief, placeholder, parse: String }] }) as const;

/** Where the agent's configuration lies. */
export const configFlag = {
  kind: "parsed",
  parse: String,
  brief: "The agent's configuration",
  default: "/etc/godwit/agent.yaml",
} as const;
