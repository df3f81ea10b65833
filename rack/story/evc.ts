/**
 * Two generations of processors: a VM that hides what the newer one has goes to the older with a warning, one with all that it has does not, and a pool with an EVC mode, made by
 * docs/operators/cpus.md, makes the two one. The moves of the chapter after this go both ways.
 */
import { GodwitError } from "@godwit/contract";
import type { Server } from "../src/server.ts";
import { switchOff } from "./fencing.ts";
import { hiddenFeatures } from "./hidden-features.ts";
import type { EvcResult } from "./result.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

const pool = "amd";
/** What AMD's third Opterons and its first EPYCs both have. */
const evcMode = "amd-greyhound-no3dnow";

export async function evc(site: Site, vm: StoryVm, say: (text: string) => void): Promise<EvcResult> {
  const [older, newer] = site.hosts;
  if (older === undefined || newer === undefined) throw new TypeError("a rack has two hosts");
  const problems: string[] = [];
  const must = (holds: boolean, otherwise: string): void => {
    if (holds) return;
    say(`  PROBLEM: ${otherwise}`);
    problems.push(otherwise);
  };
  const names = await Promise.all(site.hosts.map(async (host) => [host.name, await processorOf(host)]));
  const result: EvcResult = {
    ...{ mode: evcMode, processors: Object.fromEntries(names) as Record<string, string> },
    ...{ refusals: [], poolRefusals: [], problems },
  };
  const { pools } = await site.api.call("poolList", {});
  if (!pools.some(({ name }) => name === pool)) {
    for (const problem of await hiddenFeatures(site, vm, [older, newer], say)) must(false, problem);
    say("starting the VM with all that the newer processor has");
    await start(site, vm, newer);
    const params = { vm: vm.name };
    const check = await site.api.call("vmCheck", { params, body: { to: older.name } });
    result.refusals = check.findings.filter(({ severity }) => severity === "error").map(({ code }) => code);
    must(!check.allowed, `it may move to ${older.name}, whose processor has less`);
    const tried = await refusal(() =>
      site.api.call("vmMigrate", { params, body: { to: older.name } }).then(({ id }) => vm.ended(id)),
    );
    must(tried !== null, `it was moved to ${older.name}, whose processor has less`);
    say(`  its move to ${older.name} is refused: ${tried ?? ""}`);

    const hosts = site.hosts.map(({ name }) => name);
    const make = () => site.api.call("poolCreate", { body: { name: pool, evcMode, hosts } });
    const error = await make().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    const findings = GodwitError.is(error) ? (error.problem.findings ?? []) : [];
    result.poolRefusals = findings.map(({ code }) => code);
    must(GodwitError.is(error), "the pool was made while a VM ran with more than its mode");
    say(`  the pool is refused: ${GodwitError.is(error) ? error.message : ""}`);

    await switchOff(site, vm);
    await site.command(
      `godwit pool create ${pool} --evc ${evcMode} ${hosts.map((host) => `--host ${host}`).join(" ")}`,
    );
    say(`  ${hosts.join(" and ")} are one pool with ${evcMode}`);
    await start(site, vm, newer);
  }
  vm.forgetCpuid();
  await vm.readCpuid();
  return result;
}

/** Resolves when its database answers. */
async function start(site: Site, vm: StoryVm, on: Server): Promise<void> {
  await site.command(`godwit vm start ${vm.name} --host ${on.name}`);
  await using load = await vm.load();
  await load.finish([]);
}

/** @returns why it was refused or failed; null: it succeeded */
async function refusal(
  move: () => Promise<{ state: string; error: { detail: string } | null }>,
): Promise<string | null> {
  try {
    const { state, error } = await move();
    return state === "succeeded" ? null : (error?.detail ?? state);
  } catch (error) {
    if (GodwitError.is(error)) return error.message;
    throw error;
  }
}

const processorOf = async (host: Server): Promise<string> =>
  (await host.shell("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1")).trim();
