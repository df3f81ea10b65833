/**
 * One cell: a fresh guest under a client's load moves, the fault comes in its phase and is healed in its time; then
 * it is watched until the VM is where it should be and nothing hangs, or until the limit.
 */
import { GodwitError } from "@godwit/contract";
import { Load } from "@godwit/lab";
import type { Fault } from "./fault.ts";
import { letGo, phases, type PhaseName } from "./phases.ts";
import { roles, type Scene } from "./scene.ts";
import { guestAddress, type Scenery, type Stage } from "./stage.ts";
import { statesOf, type HostState } from "./state.ts";
import { cellOf, isSettled, type Cell, type VirshEnd } from "./verdict.ts";
import { doubledMs, Watch } from "./watch.ts";
import { sleep, within } from "@godwit/system";

export interface CellOptions {
  peerToPeer: boolean;
  phase: PhaseName;
  fault: Fault;
  /** From the fault: what is not settled by then counts as stuck. */
  limitMs: number;
}

const quietMs = 1000;
/** So that the copy takes some seconds. */
const bandwidthMibPerSecond = 60;
const lookMs = 250;
/** A guest that does not answer in this time after all is settled is started again. */
const answerLimitMs = 15_000;
const rereadLimitMs = 120_000;
/** Longer than libvirt's keepalive needs to find out (5 s, six times). */
const graceMs = 40_000;

/** @throws PROGRAM_FAILED when the guest does not start; an error when the move does not come to the phase */
export async function runCell(stage: Stage, options: CellOptions): Promise<Cell> {
  const { fault, phase, limitMs, peerToPeer } = options;
  const { lab, peer } = stage;
  const set = await stage.set();
  const { domain, hosts } = set;
  using watch = Watch.start(
    peer,
    domain.name,
    roles.map((role) => hosts[role]),
  );
  const scene: Scene = { lab: lab.lab, peer, domain, hosts, watch };
  await using load = await Load.start(lab.lab.id, guestAddress);
  await sleep(quietMs); // the client's load before anything happens

  const virsh = new Virsh(
    peer.migrate(domain.name, hosts.source, {
      ...{ to: hosts.destination, peerToPeer, tls: false, bandwidthMibPerSecond },
      timeoutMs: 2 * limitMs + 60_000,
    }),
  );
  const held = await phases[phase](scene);
  if (held === null) throw new Error("the move did not come to this phase");
  const hit = watch.heard.findLast(({ what }) => what !== "here");
  const faultAt = performance.now();
  const clockAtFault = Date.now();
  await fault.begin(scene);
  await letGo(held, fault.stops?.(scene) ?? null);

  const { states, recoveryMs } = await settle(stage, scene, { ...options, virsh, faultAt });
  const doubled = doubledMs(watch.heard, Date.now());
  const virshEnd = virsh.end;
  const { answers, client } = await askClient(stage, set, load, states);
  const cell = cellOf({
    peer: peerToPeer ? "virsh --p2p" : "virsh",
    ...{ phase, fault: fault.name, virsh: virshEnd, words: virsh.words, states, answers },
    ...{ mayBeDead: mayBeDead(fault, phase), doubledMs: doubled, recoveryMs, client },
    hit: {
      after: hit === undefined ? "" : `${hit.host === hosts.source ? "source" : "destination"} ${hit.what}`,
      ms: Math.round(clockAtFault - (hit?.atMs ?? 0)),
    },
  });
  const { outcome } = cell;
  const isSound = recoveryMs !== null && answers && (outcome === "source" || outcome === "destination");
  if (isSound && fault.takes === undefined) await stage.leave(set, outcome);
  else stage.abandon();
  return cell;
}

/**
 * What the client finds of what was acknowledged. A guest that runs nowhere, or answers nothing, is started again from
 * its disk first.
 */
async function askClient(stage: Stage, set: Scenery, load: Load, states: readonly HostState[]) {
  if (states.some(({ running }) => running === true)) {
    const finishing = load.finish([]).catch(() => null);
    const client = await within(finishing, answerLimitMs);
    if (client !== null) return { answers: true, client };
    await stage.revive(set);
    return { answers: false, client: await within(finishing, rereadLimitMs) };
  }
  await stage.revive(set);
  load.reconnect();
  return {
    answers: false,
    client: await within(
      load.finish([]).catch(() => null),
      rereadLimitMs,
    ),
  };
}

/**
 * Whether the fault takes the only memory that may still run: the source's until all is loaded, the destination's once
 * it runs. Between, either is whole; but a destination whose source's whole host is gone cannot know whether the guest
 * ran on there, so that nobody is blamed for giving it up.
 */
function mayBeDead({ takes, kills }: Fault, phase: PhaseName): boolean {
  if (phase === "running") return (takes ?? kills) === "destination";
  return takes === "source" || (kills === "source" && phase !== "completed");
}

/** Heals in time, and looks until all is settled, or nothing changes any more, or the time is over. */
async function settle(
  stage: Stage,
  scene: Scene,
  { fault, phase, limitMs, virsh, faultAt }: CellOptions & { virsh: Virsh; faultAt: number },
): Promise<{ states: HostState[]; recoveryMs: number | null }> {
  const healing = heal(scene, fault);
  let before = "";
  let changedAt = performance.now();
  for (;;) {
    const states = await statesOf(scene, stage.lab, fault.takes);
    const now = performance.now();
    if (healing.isOver && virsh.end !== "hangs" && isSettled(states, mayBeDead(fault, phase)))
      return { states, recoveryMs: now - faultAt };
    const seen = JSON.stringify([states, virsh.end, healing.isOver]);
    if (seen !== before) changedAt = now;
    before = seen;
    const isStill = healing.isOver && virsh.end !== "hangs" && now - changedAt > graceMs;
    if (isStill || now - faultAt > limitMs) {
      await healing.done;
      return { states, recoveryMs: null };
    }
    await sleep(lookMs); // three programs and two QEMUs: looking is the only way
  }
}

function heal(scene: Scene, { lastsMs, end }: Fault): { isOver: boolean; done: Promise<void> } {
  const healing = { isOver: lastsMs === null, done: Promise.resolve() };
  if (lastsMs === null) return healing;
  healing.done = (async () => {
    await sleep(lastsMs); // the fault's own time
    // A daemon that does not come back is shown by the states.
    await end?.(scene).catch(() => undefined);
    healing.isOver = true;
  })();
  return healing;
}

/** The virsh of the move, which may end at any time. */
class Virsh {
  end: VirshEnd = "hangs";
  words = "";

  constructor(move: Promise<void>) {
    move.then(
      () => {
        this.end = "succeeded";
      },
      (error: unknown) => {
        this.words = error instanceof Error ? error.message : String(error);
        this.end =
          GodwitError.is(error, "PROGRAM_FAILED") && /SIGKILL/.test(this.words) ? "killed" : "failed";
      },
    );
  }
}
