/** `godwit vm check` */
import type { Strategy } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi, type Api } from "../../connection.ts";
import { fixVm } from "../../fix-vm.ts";
import { forecastLines } from "../../output/forecast-view.ts";
import { checksTable, vmChecksText } from "../../output/move-checks-view.ts";
import { Exit, exitCodes, findingLines } from "../../output/problem.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { destinationFlag, jsonFlag, strategyFlag, vmsArgument, type JsonFlags } from "../common.ts";

interface Flags extends JsonFlags {
  to: string;
  datastore?: string;
  strategy: Strategy;
  forecast: boolean;
  fix: boolean;
  yes: boolean;
}

/** Every host; no host has this name where it is not asked for. */
const anyHost = "any";

export const checkCommand = buildCommand({
  docs: {
    brief: "Check whether VMs can move to a host, or to which",
    fullDescription: `Lists every requirement that is not met, each with what to do about it. With --to any it asks of every host; without a VM, of every VM.
Ends with 0 if the VM may move (with --to any: to some host; of several VMs: each), with 3 if not.

Of one VM that runs it measures for some seconds how it changes its memory, and tells what the move would be like; --no-forecast
leaves that out.

With --fix it offers to change of the VM what forbids the move and can be changed without harm to its guest's data: to disconnect
an ISO image that the destination cannot reach, and to remove the CPU affinity.

With --datastore it asks whether a VM that runs may move together with its disks, which then lie on that datastore of the destination.

Examples:
  godwit vm check web-1 --to b
  godwit vm check web-1 --to b --no-forecast
  godwit vm check web-1 --to b --strategy postcopy
  godwit vm check web-1 --to b --fix
  godwit vm check web-1 --to b --datastore local-b
  godwit vm check web-1 --to any
  godwit vm check --to any`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      to: { ...destinationFlag, brief: "Destination host, or any" },
      datastore: {
        kind: "parsed",
        parse: String,
        brief: "Datastore of that host that the disks are to move to with the VM",
        optional: true,
      },
      strategy: strategyFlag,
      forecast: {
        kind: "boolean",
        brief: "Tell what the move would be like",
        default: true,
      },
      fix: { kind: "boolean", brief: "Change the VM so that it may move, after asking", default: false },
      yes: { kind: "boolean", brief: "With --fix: do not ask", default: false },
    },
    positional: vmsArgument,
  },
  async func(flags: Flags, ...vms: string[]) {
    const [vm] = vms;
    if (flags.yes && !flags.fix) throw wrongFlags("--yes is for --fix.");
    const isOne = vm !== undefined && vms.length === 1 && flags.to !== anyHost;
    if (flags.fix && !isOne) throw wrongFlags("--fix changes one VM for one destination.");
    if (flags.datastore !== undefined && !isOne)
      throw wrongFlags("--datastore is of one VM and one destination.");
    if (flags.fix && flags.json && !flags.yes)
      throw wrongFlags("--fix with --json does not ask; give --yes too.");
    if (isOne) await checkOne(flags, vm);
    else await checkMany(flags, vms);
  },
});

async function checkOne(flags: Flags, vm: string): Promise<void> {
  const { to, datastore, strategy, forecast } = flags;
  const body = { to, datastore, strategy, forecast };
  const check = async (api: Api) => await api.call("vmCheck", { params: { vm }, body });
  const answer = await withApi(async (api) => {
    const found = await check(api);
    return flags.fix && (await fixVm(api, found, flags)) ? await check(api) : found;
  });
  if (flags.json) writeJson(answer);
  else {
    const verdict = answer.allowed ? "may move" : "may not move";
    writeLine(`${answer.vm} ${verdict} from ${answer.from} to ${answer.to}.`);
    for (const line of findingLines(answer.findings)) writeLine(line);
    if (answer.forecast !== null) for (const line of forecastLines(answer.forecast)) writeLine(line);
  }
  if (!answer.allowed) throw new Exit(exitCodes.refused);
}

const wrongFlags = (what: string): GodwitError =>
  GodwitError.of("USAGE", { what, hint: "Example: godwit vm check web-1 --to b --fix" });

async function checkMany(
  flags: JsonFlags & { to: string; strategy: Strategy },
  vms: readonly string[],
): Promise<void> {
  const { to, strategy } = flags;
  const answer = await withApi((api) =>
    api.call("moveCheck", {
      body: {
        strategy,
        ...(vms.length === 0 ? {} : { vms: [...vms] }),
        ...(to === anyHost ? {} : { to: [to] }),
      },
    }),
  );
  const [first] = answer.vms;
  if (flags.json) writeJson(answer);
  else if (vms.length === 1 && first !== undefined) writeLine(vmChecksText(first));
  else writeLine(checksTable(answer));
  if (answer.vms.some(({ hosts }) => !hosts.some(({ allowed }) => allowed)))
    throw new Exit(exitCodes.refused);
}
