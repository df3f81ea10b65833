/** `godwit datastore restore` */
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { datastoreArgument, jsonFlag, type JsonFlags } from "../common.ts";

/** The program has 30 s, and waits for an earlier run of it as long. */
const restoreLimitMs = 90_000;

export const restoreCommand = buildCommand({
  docs: {
    brief: "Give a host that was fenced its access to a datastore back",
    fullDescription: `A host that was fenced by a fence program gets its access back by itself when it reports after it was booted. This command is for a host of which
the server cannot see that: its boot was not known, or it is off for good.

DANGER: you confirm that the host was restarted after it was fenced, or is off. What its kernel or an old QEMU still had to write would otherwise be
written over what the VMs have written elsewhere since.

Example: godwit datastore restore vms --host b --host-was-restarted`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      host: { kind: "parsed", parse: String, brief: "The host that was fenced" },
      hostWasRestarted: {
        kind: "boolean",
        default: false,
        brief: "You have seen that the host was restarted since, or is off",
      },
    },
    positional: datastoreArgument,
  },
  async func(flags: JsonFlags & { host: string; hostWasRestarted: boolean }, datastore: string) {
    const { host, hostWasRestarted } = flags;
    if (!hostWasRestarted)
      throw GodwitError.of("USAGE", {
        what: "A host gets its access back when nothing of before can still be written.",
        hint: "Restart it, and it gets its access back by itself; or check that it was restarted since or is off, and give --host-was-restarted.",
      });
    const body = { host, hostWasRestarted };
    const view = await withApi((api) =>
      api.call("datastoreRestore", { params: { datastore }, body }, { timeoutMs: restoreLimitMs }),
    );
    if (flags.json) writeJson(view);
    else writeLine(`Host ${host} has its access to datastore ${datastore} back.`);
  },
});
