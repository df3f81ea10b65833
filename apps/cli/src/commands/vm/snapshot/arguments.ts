/** What commands on a snapshot of a VM are given. */
import { vmArgument } from "../../common.ts";

export const snapshotArguments = {
  kind: "tuple",
  parameters: [
    ...vmArgument.parameters,
    { brief: "Name of the snapshot", placeholder: "snapshot", parse: String },
  ],
} as const;
