/** `godwit vm migrate` */
import type { Strategy } from "@godwit/contract";
import { buildCommand, numberParser } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { parseMs } from "../../output/format.ts";
import { runTask } from "../../run-task.ts";
import {
  destinationFlag,
  detachFlag,
  jsonFlag,
  strategyFlag,
  vmArgument,
  type TaskFlags,
} from "../common.ts";

interface Flags extends TaskFlags {
  to: string;
  maxOutage?: number;
  strategy: Strategy;
  bandwidth?: number;
}

export const migrateCommand = buildCommand({
  docs: {
    brief: "Move a VM to another host while it runs",
    fullDescription: `The VM continues on the destination host; its users notice nothing. A switch-over that would take longer than
--max-outage is undone and tried again. A VM that is not running is only assigned to the other host.

Pre-copy never converges for a VM that changes its memory faster than the link carries it. With --strategy postcopy
its memory is sent once; then the VM continues on the destination, and the pages that it had changed follow. Until
they have arrived, the VM is lost if either host fails. If the link fails, the VM waits for it.

Examples:
  godwit vm migrate web-1 --to b
  godwit vm migrate web-1 --to b --max-outage 20ms --json
  godwit vm migrate web-1 --to b --strategy postcopy`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      to: destinationFlag,
      maxOutage: {
        kind: "parsed",
        parse: parseMs,
        brief: "Longest pause that is allowed (default 50ms; 250ms for an emulated VM)",
        optional: true,
      },
      strategy: strategyFlag,
      bandwidth: {
        kind: "parsed",
        parse: numberParser,
        brief: "Highest bandwidth of the copy, Mbit/s",
        optional: true,
      },
    },
    positional: vmArgument,
  },
  async func(flags: Flags, vm: string) {
    const body = {
      to: flags.to,
      maxOutageMs: flags.maxOutage,
      strategy: flags.strategy,
      bandwidthMbps: flags.bandwidth,
    };
    await withApi((api) =>
      runTask(api, api.call("vmMigrate", { params: { vm }, body }), flags, `VM ${vm} is now on ${flags.to}.`),
    );
  },
});
