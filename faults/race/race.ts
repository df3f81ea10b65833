/**
 * Two hosts start the program of one VM at the same moment, each under the VM's exclusive lease: who of them ran, many times.
 * Each time exactly one must. The storage is asked too: a lease counts each exclusive grant.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";
import { Program } from "@godwit/lab";
import { run, UndoStack } from "@godwit/system";
import type { DiskKind } from "../split-brain/disks/disk.ts";
import { Leases, refusalIn } from "../split-brain/leases.ts";
import type { HostName } from "../split-brain/marks.ts";
import { racers, raceStorage } from "./storage.ts";

/** As many VMs take turns, so that each lease is free again when it is next raced for. */
const vms = 8;

export interface Race {
  storage: DiskKind;
  tries: number;
  /** By host. */
  won: Record<string, number>;
  /** Tries in which both were started before the first of them ran. */
  atOnce: number;
  /** Tries in which not exactly one ran, each with what was said. */
  wrong: { try: number; ran: HostName[]; refusals: string[] }[];
  /** Why the others did not run, and how often. */
  refusals: Record<string, number>;
  /** Exclusive grants that the storage has counted; as many as tries. */
  grants: number;
  seconds: number;
}

export const isAsItMustBe = ({ tries, wrong, grants }: Race): boolean =>
  tries > 0 && wrong.length === 0 && grants === tries;

/** @throws PROGRAM_FAILED, PROGRAM_MISSING when what it needs does not start */
export async function race(
  storage: DiskKind,
  tries: number,
  signal = new AbortController().signal,
): Promise<Race> {
  await using undo = new UndoStack((what, error) => {
    console.error(`could not ${what}:`, error);
  });
  // Not /tmp, which may be in memory: sanlock opens its files past the cache.
  const folder = await mkdtemp("/var/tmp/godwit-race-");
  undo.push(`remove ${folder}`, () => rm(folder, { recursive: true, force: true }));
  const namespace = `gw-race-${randomBytes(3).toString("hex")}`;
  const ip = async (...args: string[]) => run("ip", args, { what: "arranging the race's namespace" });
  await ip("netns", "add", namespace);
  undo.push(`remove namespace ${namespace}`, () => ip("netns", "del", namespace));
  await ip("-n", namespace, "link", "set", "lo", "up");
  const place = await raceStorage(storage, { folder, namespace }, vms);
  undo.push("end the storage", () => place[Symbol.asyncDispose]());
  const leases = await Leases.start(folder, vms, racers, place);
  undo.push("end the lease daemons", () => leases[Symbol.asyncDispose]());

  const startedAt = performance.now();
  const result: Race = {
    ...{ storage, tries: 0, won: { source: 0, destination: 0 }, atOnce: 0 },
    ...{ wrong: [], refusals: {}, grants: 0, seconds: 0 },
  };
  for (; result.tries < tries; result.tries++) {
    signal.throwIfAborted();
    await once(leases, result);
  }
  for (let vm = 0; vm < vms; vm++) result.grants += await leases.grants("destination", vm);
  result.seconds = (performance.now() - startedAt) / 1000;
  return result;
}

interface Runner {
  host: HostName;
  /** Null: it is gone. */
  program: Program | null;
  startedAt: number;
  /** Null: it ran. */
  refusal: string | null;
  decidedAt: number;
}

async function once(leases: Leases, result: Race): Promise<void> {
  // Whoever is started first has no head start in the long run.
  const order = result.tries % 2 === 0 ? racers : racers.toReversed();
  const runners = await Promise.all(order.map((host) => start(leases, host, result.tries % vms)));
  const ran = runners.filter(({ refusal }) => refusal === null);
  const refusals = runners.flatMap(({ refusal }) => refusal ?? []);
  for (const refusal of refusals) result.refusals[refusal] = (result.refusals[refusal] ?? 0) + 1;
  const [winner] = ran;
  if (winner === undefined || ran.length > 1)
    result.wrong.push({ try: result.tries, ran: ran.map(({ host }) => host), refusals });
  else {
    result.won[winner.host] = (result.won[winner.host] ?? 0) + 1;
    if (runners.every(({ startedAt }) => startedAt < winner.decidedAt)) result.atOnce++;
  }
  // The winner runs until all is decided.
  for (const { program } of runners) await program?.end();
}

async function start(leases: Leases, host: HostName, vm: number): Promise<Runner> {
  const startedAt = performance.now();
  const decided = (program: Program | null, refusal: string | null): Runner => ({
    ...{ host, program, startedAt, refusal, decidedAt: performance.now() },
  });
  let program: Program;
  try {
    program = await Program.start({
      what: `the VM's program on ${host}`,
      ...leases.starting(host, ["/bin/sh", "-c", "echo the program runs; exec sleep 1000"], vm),
    });
  } catch (error) {
    // What runs never ends by itself: it was refused before it was looked at.
    if (GodwitError.is(error, "PROGRAM_FAILED")) return decided(null, "it ended before it was looked at");
    throw error;
  }
  const refusal = await program.says(/the program runs/).then(
    () => null,
    () => refusalIn(program.lastWords) ?? `no lease: ${program.lastWords}`,
  );
  return decided(program, refusal);
}
