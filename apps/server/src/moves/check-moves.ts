/**
 * Which hosts could take which VMs: each pair judged as `vm check` judges one, with every host asked once. Each pair is
 * judged for itself: two VMs that would both fit need not fit together.
 */
import { setImmediate } from "node:timers/promises";
import {
  findingOf,
  GodwitError,
  hasProcess,
  type Finding,
  type MoveChecks,
  type Strategy,
  type VmView,
} from "@godwit/contract";
import { canBeTried, mayMove, type Destination, type Source } from "@godwit/requirements";
import type { Inventory } from "../inventory.ts";
import { ruleJudge } from "../pools/check-rules.ts";
import { destinationsOf, findingsOf, sourceOf } from "./check-vm.ts";

export interface MovesToCheck {
  vms: readonly VmView[];
  /** Names of hosts. */
  to: readonly string[];
  strategy: Strategy;
}

/** More pairs of hosts than this would be minutes of connecting: their migration paths are not tried. */
const mostPathsTried = 64;
/** Of more pairs only the codes are answered. */
const mostPairsWithFindings = 2000;

/** What a source did not answer is the finding of each VM that runs there. */
type Asked = { source: Source } | { finding: Finding };

export async function checkMoves(
  services: Inventory,
  { vms, to, strategy }: MovesToCheck,
): Promise<MoveChecks> {
  const running = new Set(vms.filter(hasProcess).map(({ host }) => host));
  const [sources, destinations] = await Promise.all([
    askSources(services, new Set(vms.map(({ host }) => host)), running),
    destinationsOf(services, to),
  ]);
  const pathsTried = running.size * to.length <= mostPathsTried;
  const paths = pathsTried ? await tryPaths(services, running, sources, destinations) : null;

  const ofRules = await ruleJudge(services);
  const withFindings = vms.length * to.length <= mostPairsWithFindings;
  const rows: MoveChecks["vms"] = [];
  for (const vm of vms) {
    const asked = sources.get(vm.host);
    const hosts = destinations
      .filter(({ name }) => name !== vm.host)
      .map((destination) => {
        const path = hasProcess(vm) ? paths?.get(vm.host)?.get(destination.name) : undefined;
        const tried = path === undefined ? destination : { ...destination, path };
        const findings = [...judge(vm, asked, tried, strategy), ...ofRules(vm, destination.name)];
        return answerOf(destination.name, findings, withFindings);
      });
    rows.push({ vm: vm.name, from: vm.host, hosts });
    // A thousand VMs are seconds of judging: other requests are answered between them.
    await setImmediate();
  }
  return { pathsTried, vms: rows };
}

function answerOf(to: string, findings: readonly Finding[], withFindings: boolean) {
  const codesOf = (severity: Finding["severity"]) =>
    findings.filter((one) => one.severity === severity).map(({ code }) => code);
  return {
    to,
    allowed: mayMove(findings),
    errors: codesOf("error"),
    warnings: codesOf("warning"),
    findings: withFindings ? [...findings] : null,
  };
}

async function askSources(
  services: Inventory,
  hosts: ReadonlySet<string>,
  running: ReadonlySet<string>,
): Promise<Map<string, Asked>> {
  const ask = async (host: string): Promise<Asked> => {
    try {
      return { source: await sourceOf(services, host, running.has(host)) };
    } catch (error) {
      if (GodwitError.is(error)) return { finding: findingOf(error) };
      throw error;
    }
  };
  return new Map(await Promise.all([...hosts].map(async (host) => [host, await ask(host)] as const)));
}

async function tryPaths(
  { hosts }: Inventory,
  from: ReadonlySet<string>,
  sources: ReadonlyMap<string, Asked>,
  destinations: readonly Destination[],
): Promise<Map<string, Awaited<ReturnType<Inventory["hosts"]["paths"]["tryAll"]>>>> {
  const tried = [...from].map(async (host) => {
    const asked = sources.get(host);
    const open = destinations.filter(
      ({ name, report }) =>
        name !== host && asked !== undefined && "source" in asked && canBeTried(asked.source, report),
    );
    const trials = await hosts.paths.tryAll(
      host,
      open.map(({ name }) => name),
    );
    return [host, trials] as const;
  });
  return new Map(await Promise.all(tried));
}

function judge(
  vm: VmView,
  asked: Asked | undefined,
  destination: Destination,
  strategy: Strategy,
): readonly Finding[] {
  if (asked === undefined) return [];
  if ("finding" in asked) return [asked.finding];
  try {
    return findingsOf(vm, asked.source, destination, strategy).findings;
  } catch (error) {
    // It ended after the inventory last knew it: no host can take it.
    if (GodwitError.is(error)) return [findingOf(error)];
    throw error;
  }
}
