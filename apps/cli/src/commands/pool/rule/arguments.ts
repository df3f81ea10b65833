/** A pool and a rule of it. */
import { poolArgument } from "../../common.ts";

export const ruleArguments = {
  kind: "tuple",
  parameters: [...poolArgument.parameters, { brief: "Name of the rule", placeholder: "rule", parse: String }],
} as const;
