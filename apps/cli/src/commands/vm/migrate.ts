/** `godwit vm migrate` */
import type { Objective, ObjectiveName, Strategy } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand, numberParser } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { parseMs, parseShare } from "../../output/format.ts";
import { forecastLines } from "../../output/forecast-view.ts";
import { Exit, exitCodes, findingLines } from "../../output/problem.ts";
import { writeJson, writeLine, writeNote } from "../../output/screen.ts";
import { runTask } from "../../run-task.ts";
import {
  destinationFlag,
  detachFlag,
  forceFlag,
  jsonFlag,
  strategyFlag,
  vmArgument,
  wordsOf,
  type TaskFlags,
} from "../common.ts";

const postcopyUses = {
  never: "never",
  "last-resort": "lastResort",
} as const satisfies Record<string, Objective["postcopy"]>;
type PostcopyWord = keyof typeof postcopyUses;

interface Flags extends TaskFlags {
  to?: string;
  datastore?: string;
  disk?: readonly string[];
  format?: "qcow2" | "raw";
  force: boolean;
  maxOutage?: number;
  strategy: Strategy;
  objective?: ObjectiveName;
  maxSlowdown?: number;
  deadline?: number;
  postcopy?: PostcopyWord;
  bandwidth?: number;
  forecast: boolean;
  dryRun: boolean;
}

export const migrateCommand = buildCommand({
  docs: {
    brief: "Move a VM to another host, or its disks to another datastore, while it runs",
    fullDescription: `The VM continues on the destination host; its users notice nothing. A switch-over that would take longer than
--max-outage is undone and tried again. A VM that is not running is only assigned to the other host. Without --to the planner
chooses the host in the VM's pool; a rule of a pool that must hold is broken only with --force.

How the memory is moved is chosen while it is copied, within bounds (--strategy auto): --objective realtime never slows the
VM down, normal down to half of its speed, batch down to a tenth; --max-slowdown and --deadline give these bounds by
themselves. A VM that changes its memory faster than the link carries it goes over by post-copy as the last resort: it
continues on the destination, and the pages that it had changed follow. Until they have arrived, it is lost if either host
fails. --postcopy never forbids that; the move then ends with the reason, and the VM stays.

Where the VM was checked within the last ten minutes, or with --forecast, the task keeps what the move was said to be like, and
tells it beside what happened; the next forecast learns from it.

With --to and --datastore the VM moves together with its disks, to a host that does not see its storage: NAME is a datastore of
that host alone, as the VM's own is of its. The disks are copied first, encrypted, while the VM runs; then its memory follows. Until the VM
runs at the destination it can be taken back, and its files at the source are removed only then. --bandwidth is for both copies.

With --datastore alone the VM stays on its host, and its disks move to another datastore (Storage vMotion), while it runs or at rest:
all that do not lie there yet, or those that --disk names. Its folder, with its description and its lease, stays on the VM's own
datastore. On a datastore of kind lun a disk is a raw volume; from there it becomes a raw file, or another with --format. Of such a move only
--bandwidth (of a running VM's copy), --format, --detach and --json can be given besides.

Examples:
  godwit vm migrate web-1 --to b
  godwit vm migrate web-1
  godwit vm migrate web-1 --to b --max-outage 20ms --json
  godwit vm migrate web-1 --to b --objective batch --deadline 90s
  godwit vm migrate web-1 --to b --postcopy never
  godwit vm migrate web-1 --to b --objective realtime --dry-run
  godwit vm migrate web-1 --to b --forecast
  godwit vm migrate web-1 --to b --strategy postcopy
  godwit vm migrate web-1 --to b --datastore local-b
  godwit vm migrate web-1 --datastore fast
  godwit vm migrate web-1 --datastore fast --disk data --bandwidth 800
  godwit vm migrate web-1 --datastore vms --format qcow2`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      to: {
        ...destinationFlag,
        brief: "Destination host (default: the pool's planner chooses)",
        optional: true,
      },
      datastore: {
        kind: "parsed",
        parse: String,
        brief:
          "Move the disks to this datastore: of the host of --to, with the VM; without --to the host stays the same",
        optional: true,
      },
      disk: {
        kind: "parsed",
        parse: String,
        brief: "With --datastore: only this disk; again for further ones",
        variadic: true,
        optional: true,
      },
      format: {
        kind: "enum",
        values: wordsOf<"qcow2" | "raw">({ qcow2: true, raw: true }),
        brief:
          "With --datastore alone: format of the disks there (default: as they are; a volume on a LUN is raw)",
        optional: true,
      },
      force: forceFlag,
      maxOutage: {
        kind: "parsed",
        parse: parseMs,
        brief:
          "Longest pause that is allowed (default 50ms; 250ms for an emulated VM; more with --objective batch)",
        optional: true,
      },
      strategy: strategyFlag,
      objective: {
        kind: "enum",
        values: wordsOf<ObjectiveName>({ realtime: true, normal: true, batch: true }),
        brief: "What the move may cost the VM (default normal)",
        optional: true,
      },
      maxSlowdown: {
        kind: "parsed",
        parse: parseShare,
        brief: "Largest share of its time that throttling may take from the VM, like 30%",
        optional: true,
      },
      deadline: {
        kind: "parsed",
        parse: parseMs,
        brief: "Longest time that the copy may take, like 90s",
        optional: true,
      },
      postcopy: {
        kind: "enum",
        values: wordsOf<PostcopyWord>({ never: true, "last-resort": true }),
        brief: "Whether post-copy may be used where nothing else would end the copy",
        optional: true,
      },
      bandwidth: {
        kind: "parsed",
        parse: numberParser,
        brief: "Highest bandwidth of the copy, Mbit/s",
        optional: true,
      },
      forecast: {
        kind: "boolean",
        brief:
          "First measure for some seconds how the VM changes its memory, and keep a forecast beside what happens",
        default: false,
      },
      dryRun: {
        kind: "boolean",
        brief: "Move nothing; tell whether the VM may move, and what would be done",
        default: false,
      },
    },
    positional: vmArgument,
  },
  async func(flags: Flags, vm: string) {
    if (flags.datastore !== undefined && (flags.to === undefined || flags.disk !== undefined)) {
      await relocateDisks(vm, { ...flags, datastore: flags.datastore });
      return;
    }
    if (flags.disk !== undefined)
      throw GodwitError.of("USAGE", {
        what: "--disk needs --datastore.",
        hint: "Name the datastore that the disk is to lie on: --datastore NAME",
      });
    if (flags.format !== undefined)
      throw GodwitError.of("USAGE", {
        what: "--format needs --datastore without --to.",
        hint: "Disks that move together with their VM keep their format.",
      });
    const body = bodyOf(flags);
    if (flags.dryRun) {
      if (flags.to === undefined)
        throw GodwitError.of("USAGE", { what: "--dry-run needs --to.", hint: "Name the destination host." });
      await dryRun(vm, { ...withoutForce(body), to: flags.to }, flags.json);
      return;
    }
    await withApi((api) =>
      runTask(
        api,
        api.call("vmMigrate", { params: { vm }, body: { ...body, forecast: flags.forecast } }),
        flags,
        (task) =>
          `VM ${vm} is now on ${task.result !== null && "host" in task.result ? task.result.host : (flags.to ?? "another host")}.`,
      ),
    );
  },
});

/** Flags of a move to another host. */
const ofHostMoves = {
  to: "--to",
  force: "--force",
  maxOutage: "--max-outage",
  objective: "--objective",
  maxSlowdown: "--max-slowdown",
  deadline: "--deadline",
  postcopy: "--postcopy",
  forecast: "--forecast",
  dryRun: "--dry-run",
} as const satisfies Partial<Record<keyof Flags, string>>;

async function relocateDisks(vm: string, flags: Flags & { datastore: string }): Promise<void> {
  const { datastore, disk: disks, bandwidth: bandwidthMbps, format } = flags;
  const wrong = [
    ...(Object.keys(ofHostMoves) as (keyof typeof ofHostMoves)[])
      .filter((key) => flags[key] !== undefined && flags[key] !== false)
      .map((key) => ofHostMoves[key]),
    ...(flags.strategy === "auto" ? [] : ["--strategy"]),
  ];
  if (wrong.length > 0)
    throw GodwitError.of("USAGE", {
      what: `${wrong.join(", ")} cannot be combined with --datastore, which leaves the VM on its host.`,
      hint:
        flags.to === undefined
          ? "Move the disks first, and then the VM: two commands."
          : "Without --disk the VM moves to that host with all its disks.",
    });
  await withApi((api) =>
    runTask(
      api,
      api
        .call("vmDisksRelocate", {
          params: { vm },
          body: { datastore, disks: disks?.slice(), bandwidthMbps, format },
        })
        .then((task) => {
          if (task.request.unseenBy.length > 0)
            writeNote(
              `Datastore ${datastore} is not seen by ${task.request.unseenBy.join(", ")}: VM ${vm} cannot move there while a disk of it lies on ${datastore}.`,
            );
          return task;
        }),
      flags,
      ({ result }) => {
        const moved = result !== null && "disks" in result ? result.disks : [];
        return `${moved.length === 1 ? "Disk" : "Disks"} ${moved.join(", ")} of VM ${vm} ${moved.length === 1 ? "lies" : "lie"} on datastore ${datastore} now.`;
      },
    ),
  );
}

const bodyOf = (flags: Flags) => ({
  to: flags.to,
  datastore: flags.datastore,
  force: flags.force,
  maxOutageMs: flags.maxOutage,
  strategy: flags.strategy,
  objective: flags.objective,
  maxSlowdown: flags.maxSlowdown,
  deadlineMs: flags.deadline,
  postcopy: flags.postcopy === undefined ? undefined : postcopyUses[flags.postcopy],
  bandwidthMbps: flags.bandwidth,
});

const withoutForce = ({ force: _, ...body }: ReturnType<typeof bodyOf>) => body;
type Checked = ReturnType<typeof withoutForce> & { to: string };

/** The same requirements are checked as before a move, and the VM's memory is measured for some seconds. */
async function dryRun(vm: string, body: Checked, json: boolean): Promise<void> {
  const answer = await withApi((api) =>
    api.call("vmCheck", { params: { vm }, body: { ...body, forecast: true } }),
  );
  if (json) writeJson(answer);
  else {
    const verdict = answer.allowed ? "would be moved" : "may not move";
    writeLine(`VM ${answer.vm} ${verdict} from ${answer.from} to ${answer.to}. Nothing was done.`);
    for (const line of findingLines(answer.findings)) writeLine(line);
    if (answer.forecast !== null) for (const line of forecastLines(answer.forecast)) writeLine(line);
  }
  if (!answer.allowed) throw new Exit(exitCodes.refused);
}
