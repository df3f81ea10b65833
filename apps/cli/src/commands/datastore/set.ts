/** `godwit datastore set` */
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { datastoreArgument, jsonFlag, type JsonFlags } from "../common.ts";

/** The program checks every host, some at a time, and ends at the first that it fails for. */
const checkLimitMs = 240_000;

interface Flags extends JsonFlags {
  reservations?: "on" | "off";
  fenceProgram?: string;
}

export const setCommand = buildCommand({
  docs: {
    brief: "Set how hosts are fenced at a datastore",
    fullDescription: `VMs of a host that does not answer start elsewhere before their leases run out, where that host can be fenced at all datastores that they write
to: it is kept from writing there.

--reservations, of a LUN: each host registers a key with the LUN, and the LUN refuses what others write (SCSI-3 persistent reservations). A host whose key
is taken away ends its VMs there. Refused while a host of the datastore does not answer, and to turn them on also while one cannot register. They are in
force when every host has registered: godwit datastore show tells.

--fence-program, of NFS, iSCSI and shared folders: a program in the server's folder for them (/etc/godwit/fence, if no other is configured), which has the storage
server take a host's access away, and give it back. It must belong to root or the server's user, nobody else may write to it, and it has to answer a check now. What it must do:
docs/operators/datastores.md.

Examples:
  godwit datastore set san --reservations on
  godwit datastore set vms --fence-program filer-1
  godwit datastore set vms --fence-program none`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      reservations: {
        kind: "enum",
        values: ["on", "off"],
        brief: "Whether the LUN has persistent reservations",
        optional: true,
      },
      fenceProgram: {
        kind: "parsed",
        parse: String,
        brief: "The file name of the program that fences hosts there; none: there is none",
        placeholder: "PROGRAM|none",
        optional: true,
      },
    },
    positional: datastoreArgument,
  },
  async func(flags: Flags, datastore: string) {
    const { reservations: on, fenceProgram: program } = flags;
    if (on === undefined && program === undefined)
      throw GodwitError.of("USAGE", {
        what: "Nothing is to be set.",
        hint: "Give --reservations or --fence-program.",
      });
    const body = {
      ...(on === undefined ? {} : { reservations: on === "on" }),
      ...(program === undefined ? {} : { fenceProgram: program === "none" ? null : program }),
    };
    const limit = program === undefined ? {} : { timeoutMs: checkLimitMs };
    const view = await withApi((api) => api.call("datastoreSet", { params: { datastore }, body }, limit));
    if (flags.json) {
      writeJson(view);
      return;
    }
    const { datastoreText } = await import("../../output/datastore-view.ts");
    writeLine(datastoreText(view));
  },
});
