/** `godwit datastore set` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { datastoreArgument, jsonFlag, type JsonFlags } from "../common.ts";

export const setCommand = buildCommand({
  docs: {
    brief: "Turn SCSI-3 persistent reservations of a LUN on or off",
    fullDescription: `With reservations, each host registers a key with the LUN, and the LUN refuses what others write. VMs of a host that died start elsewhere
by that, before their leases run out: those of which all disks lie on such LUNs. A host whose key is taken away ends its VMs there.

Refused while a host of the datastore does not answer, and to turn them on also while one cannot register. They are in force when every host has
registered: godwit datastore show tells.

Examples:
  godwit datastore set san --reservations on
  godwit datastore set san --reservations off`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      reservations: {
        kind: "enum",
        values: ["on", "off"],
        brief: "Whether the LUN has persistent reservations",
      },
    },
    positional: datastoreArgument,
  },
  async func(flags: JsonFlags & { reservations: "on" | "off" }, datastore: string) {
    const body = { reservations: flags.reservations === "on" };
    const view = await withApi((api) => api.call("datastoreSet", { params: { datastore }, body }));
    if (flags.json) {
      writeJson(view);
      return;
    }
    const { datastoreText } = await import("../../output/datastore-view.ts");
    writeLine(datastoreText(view));
  },
});
