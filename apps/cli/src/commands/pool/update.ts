/** `godwit pool update` */
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand, numberParser } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { parseMs, parseSeconds } from "../../output/format.ts";
import { Exit, exitCodes } from "../../output/problem.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { updatedSummary, updatePlanText } from "../../output/pool-update-view.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, poolArgument, type TaskFlags } from "../common.ts";

interface Flags extends TaskFlags {
  command?: string;
  reboot: boolean;
  host?: string[];
  timeout?: number;
  concurrency?: number;
  maxOutage?: number;
  dryRun: boolean;
}

export const updateCommand = buildCommand({
  docs: {
    brief: "Update a pool's hosts, one after the other, while its VMs run on",
    fullDescription: `Of each host: its VMs move away, the command runs there as root, it is booted again (--reboot), what worked before must work
again, it takes VMs and those that left come back; in a pool whose automation is full the balancer gives it some. With the first
trouble it stops: that host stays in maintenance, and no other one begins. It goes on when the server is restarted.

A host runs commands only where its administrator allows it (updates: { commands: true } in /etc/godwit/agent.yaml), and only while no VM runs there.
The command is a text for /bin/sh. Of what it writes the end is shown: godwit task show ID.

Cancelled (godwit task cancel ID), a host that is being emptied goes back; one whose command has begun is finished first.

Examples:
  godwit pool update east --command 'apt-get update && apt-get -y upgrade' --dry-run
  godwit pool update east --command 'apt-get update && apt-get -y upgrade' --reboot
  godwit pool update east --host c --host a --command 'sysctl --system' --timeout 2min --detach`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      command: {
        kind: "parsed",
        parse: String,
        brief: "What each host runs, as root, for /bin/sh",
        optional: true,
        placeholder: "text",
      },
      reboot: {
        kind: "boolean",
        brief: "Boot each host again afterwards",
        default: false,
        withNegated: false,
      },
      host: {
        kind: "parsed",
        parse: String,
        brief: "Only these, in this order; default: all, those with the least to move first",
        optional: true,
        variadic: true,
        placeholder: "host",
      },
      timeout: {
        kind: "parsed",
        parse: parseSeconds,
        brief: "How long the command may take on one host (default 30min)",
        optional: true,
      },
      concurrency: {
        kind: "parsed",
        parse: numberParser,
        brief: "How many VMs move at once (default 2)",
        optional: true,
      },
      maxOutage: {
        kind: "parsed",
        parse: parseMs,
        brief: "Longest pause of each move (default 50ms; 250ms for an emulated VM)",
        optional: true,
      },
      dryRun: {
        kind: "boolean",
        brief: "Show the order, what would move, and what prevents it",
        default: false,
        withNegated: false,
      },
    },
    positional: poolArgument,
  },
  async func(flags: Flags, pool: string) {
    const { command, reboot, host, timeout, concurrency, maxOutage } = flags;
    if (command === undefined && !reboot)
      throw GodwitError.of("USAGE", {
        what: "Nothing is to be done on the hosts.",
        hint: "Name --command, --reboot or both.",
      });
    const body = {
      ...(command === undefined ? {} : { command }),
      ...(reboot ? { reboot } : {}),
      ...(host === undefined ? {} : { hosts: host }),
      ...(timeout === undefined ? {} : { timeoutSeconds: timeout }),
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(maxOutage === undefined ? {} : { maxOutageMs: maxOutage }),
    };
    const params = { pool };
    if (!flags.dryRun) {
      await withApi((api) => runTask(api, api.call("poolUpdate", { params, body }), flags, updatedSummary));
      return;
    }
    const plan = await withApi((api) => api.call("poolUpdateCheck", { params, body }));
    if (flags.json) writeJson(plan);
    else writeLine(updatePlanText(plan));
    if (!plan.allowed) throw new Exit(exitCodes.refused);
  },
});
