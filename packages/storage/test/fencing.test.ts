/**
 * Who writes to a VM's disk when hosts are fenced, by the persistent reservations of its LUN or by a program that has the storage take a host's access: the
 * rules of registrations, the order of a fence and that of a start, run step by step on three hosts, storage, and leases as they lie on it. Each may stand still
 * before any step for as long as it likes, its agent may be killed there, and it may boot. Any host may find any other silent at any time: what
 * leases have by time does not count here.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { fenceInOrder, fenceSteps, type FenceStep } from "../src/reservations/fence-steps.ts";
import { isKeyOf, keyOf, mostGeneration } from "../src/reservations/reservation-key.ts";
import {
  keysToTake,
  mayActivate,
  notFenced,
  notReservable,
  stepOf,
  type LunHere,
} from "../src/reservations/reservation-rules.ts";
import type { LunReservations } from "../src/reservations/sg-persist.ts";

/** A LUN as SPC-4 has it, with one path for each host that changes when its session is made again. */
class Lun {
  readonly registrations = new Map<string, string>();
  holder: string | null = null;
  #generation = 0;

  read(): LunReservations {
    const key = this.holder === null ? null : (this.registrations.get(this.holder) ?? null);
    return {
      generation: `0x${this.#generation.toString(16)}`,
      keys: [...this.registrations.values()],
      reservation: key === null ? null : { key, isRegistrantsOnly: true },
    };
  }

  register(nexus: string, key: string | null): void {
    this.#generation++;
    if (key !== null) this.registrations.set(nexus, key);
    else this.registrations.delete(nexus);
    if (key === null && this.holder === nexus) this.holder = null;
  }

  reserve(nexus: string, key: string): void {
    if (this.registrations.get(nexus) === key) this.holder ??= nexus;
  }

  preempt(nexus: string, key: string, other: string): void {
    const losers = [...this.registrations].filter(([, one]) => one === other);
    if (this.registrations.get(nexus) !== key || losers.length === 0) return;
    this.#generation++;
    for (const [loser] of losers) {
      this.registrations.delete(loser);
      if (this.holder === loser) this.holder = nexus;
    }
  }

  mayWrite(nexus: string): boolean {
    return this.holder === null || this.registrations.has(nexus);
  }
}

/** What is done in steps: it may stand still at each of them. */
type Steps = Generator<undefined, boolean>;

/** As they lie on the storage: the last one counts. */
interface StoredLease {
  holder: Host | null;
  isRevoked: boolean;
}

interface Host {
  name: string;
  session: number;
  ownKey: string | null;
  registered: string | null;
  hasVolume: boolean;
  /** A QEMU has the volume open, and writes. */
  opens: boolean;
  boots: number;
  /** By a program, in which of its boots; null: it has its access. */
  cut: number | null;
  taken: Map<string, string>;
  /** What its agent has under way, by what it is. */
  threads: Map<string, Steps>;
  /** Whether something is done with the LUN that excludes others. */
  isInTurn: boolean;
  /** A command to the LUN that its program is about to send; and one whose agent was killed meanwhile. */
  pending: (() => void) | null;
  orphan: (() => void) | null;
}

interface Order {
  fence: readonly FenceStep[];
  /** Whoever gets a lease looks, once it has it, that it still counts. */
  acquireLooksAgain: boolean;
  startLooksAgain: boolean;
  /** By a program of the server, which runs between two calls of a living host. Absent: by persistent reservations. */
  program?: {
    /** In the second call the lease has to be that of the first. */
    sameLease: boolean;
    /** A host gets its access back only when it has booted since. */
    afterBoot: boolean;
  };
}

class Cluster {
  readonly lun = new Lun();
  readonly leases: StoredLease[] = [{ holder: null, isRevoked: false }];
  readonly hosts: Host[] = ["a", "b", "c"].map((name) => ({
    ...{ name, session: 0, ownKey: null, registered: null, hasVolume: false, opens: false },
    ...{ taken: new Map<string, string>(), threads: new Map<string, Steps>(), isInTurn: false },
    ...{ pending: null, orphan: null, boots: 0, cut: null },
  }));
  /** That it was tried at all. */
  readonly count = { fences: 0, starts: 0, refusedStarts: 0 };
  readonly #order: Order;
  #generation = 0;

  constructor(order: Order) {
    this.#order = order;
  }

  nexusOf = ({ name, session }: Host): string => `${name} ${String(session)}`;

  get writers(): string[] {
    const { program } = this.#order;
    return this.hosts
      .filter((host) => host.opens && (program ? host.cut === null : this.lun.mayWrite(this.nexusOf(host))))
      .map(({ name }) => name);
  }

  act(action: string, host: Host, other: Host, at: number): void {
    const begin = (name: string, steps: () => Steps) => {
      if (!host.threads.has(name)) host.threads.set(name, steps());
    };
    switch (action) {
      case "go": {
        const name = [...host.threads.keys()][at % Math.max(1, host.threads.size)];
        if (name !== undefined) this.go(host, name);
        return;
      }
      case "look":
        begin("look", () => this.#inTurn(host, () => this.#look(host)));
        return;
      case "reserve":
        begin("reserve", () => this.#inTurn(host, () => this.#reserve(host)));
        return;
      case "fence":
        if (host === other) return;
        begin("fence", () => (this.#order.program ? this.#fenceByProgram(other) : this.#fence(host, other)));
        return;
      case "restore":
        if (this.#order.program?.afterBoot !== true || host.boots !== host.cut) host.cut = null;
        return;
      // One claim: what is done with the VM here excludes the rest.
      case "start":
        begin("vm", () => this.#start(host));
        return;
      case "stop":
        begin("vm", () => this.#stop(host));
        return;
      case "session":
        host.session++;
        return;
      case "kill":
        this.#killAgent(host, at % 2 === 0);
        return;
      case "orphan":
        host.orphan?.();
        host.orphan = null;
        return;
      case "boot":
        this.#killAgent(host, false);
        Object.assign(host, { orphan: null, ownKey: null, registered: null, hasVolume: false, opens: false });
        host.session++;
        host.boots++;
        this.#release(host);
    }
  }

  /** Lets what an agent has under way go on, so many steps. */
  go(host: Host, name: string, steps = 1): void {
    for (let step = 0; step < steps; step++)
      if (host.threads.get(name)?.next().done === true) host.threads.delete(name);
  }

  /** @param isSent its program goes on without it, and what it asks of the LUN may arrive at any time */
  #killAgent(host: Host, isSent: boolean): void {
    host.orphan ??= isSent ? host.pending : null;
    host.pending = null;
    host.threads.clear();
    host.taken.clear();
    host.isInTurn = false;
  }

  /** What a host sees at this moment. */
  #here(host: Host): LunHere {
    return {
      ...{ host: host.name, isWanted: true, ownKey: host.ownKey, hasActiveVolumes: host.hasVolume },
      ...{ arePathsSame: host.registered === this.nexusOf(host), hasDeadPath: false, seen: this.lun.read() },
    };
  }

  /** On storage: the lease of this host, from 0; null: none. */
  #held(host: Host): number | null {
    const index = this.leases.findLastIndex(({ holder }) => holder === host);
    return index < 0 ? null : index;
  }

  #release(host: Host): void {
    for (const lease of this.leases) if (lease.holder === host) lease.holder = null;
  }

  #lease(index: number): StoredLease {
    const lease = this.leases[index];
    if (lease === undefined) throw new TypeError("no such lease");
    return lease;
  }

  get #newest(): number {
    return this.leases.length - 1;
  }

  /** Only the first of those who make it at once does. */
  #makeSuccessor(of: number): void {
    if (this.leases.length === of + 1) this.leases.push({ holder: null, isRevoked: false });
  }

  *#inTurn(host: Host, steps: () => Steps): Steps {
    while (host.isInTurn) yield;
    host.isInTurn = true;
    const result = yield* steps();
    host.isInTurn = false;
    return result;
  }

  /** A program that changes something at the LUN: it waits for one that an agent before has left. */
  *#command(host: Host, action: (nexus: string) => void): Generator<undefined, void> {
    while (host.orphan !== null) yield;
    const nexus = this.nexusOf(host);
    host.pending = () => {
      action(nexus);
    };
    yield;
    host.pending();
    host.pending = null;
    yield;
  }

  *#start(host: Host): Steps {
    if (host.opens) return true;
    const lease = yield* this.#acquire(host);
    if (lease === null) return false;
    yield;
    const isActive =
      this.#order.program !== undefined || (yield* this.#inTurn(host, () => this.#activate(host)));
    if (!isActive || (this.#order.startLooksAgain && !(yield* this.#stillCounts(host, lease)))) {
      this.count.refusedStarts++;
      return yield* this.#undo(host);
    }
    yield;
    // It is started by the holder of the lease, if there still is one.
    if (this.#lease(lease).holder !== host) return yield* this.#undo(host);
    host.opens = true;
    this.count.starts++;
    return true;
  }

  *#acquire(host: Host): Generator<undefined, number | null> {
    const held = this.#held(host);
    if (held !== null) {
      const counts = held === this.#newest && !this.#lease(held).isRevoked;
      if (!counts) this.#release(host);
      return counts ? held : null;
    }
    const place = this.#newest;
    yield;
    const { isRevoked } = this.#lease(place);
    yield;
    if (this.#lease(place).holder !== null) return null;
    this.#lease(place).holder = host;
    if (!isRevoked) return yield* this.#granted(host, place);
    yield;
    this.#makeSuccessor(place);
    yield;
    this.#lease(place).holder = null;
    yield;
    if (this.#lease(place + 1).holder !== null) return null;
    this.#lease(place + 1).holder = host;
    return yield* this.#granted(host, place + 1);
  }

  *#granted(host: Host, place: number): Generator<undefined, number | null> {
    yield;
    if (!this.#order.acquireLooksAgain || (yield* this.#stillCounts(host, place))) return place;
    yield;
    this.#release(host);
    return null;
  }

  *#activate(host: Host): Steps {
    const here = this.#here(host);
    yield;
    if (mayActivate(here)) host.hasVolume = true;
    yield;
    return host.hasVolume;
  }

  *#stillCounts(host: Host, lease: number): Steps {
    const isHeld = this.#lease(lease).holder === host;
    yield;
    const isNewest = this.#newest === lease;
    yield;
    return isHeld && isNewest && !this.#lease(lease).isRevoked;
  }

  /** QEMU, then the volume, then the lease. */
  *#undo(host: Host): Steps {
    host.opens = false;
    yield;
    host.hasVolume = false;
    yield;
    this.#release(host);
    return false;
  }

  *#stop(host: Host): Steps {
    yield;
    return yield* this.#undo(host);
  }

  *#look(host: Host): Steps {
    const here = this.#here(host);
    const step = stepOf(here);
    yield;
    switch (step) {
      case "adopt":
        host.ownKey = here.seen.keys.find((key) => isKeyOf(host.name, key)) ?? null;
        host.registered = this.nexusOf(host);
        break;
      case "unregister":
        yield* this.#command(host, (nexus) => {
          this.lun.register(nexus, null);
        });
        break;
      case "register":
        yield* this.#register(host);
        break;
      case "endVms":
        host.opens = false;
        break;
      default:
    }
    return true;
  }

  *#register(host: Host): Generator<undefined, void> {
    const key = keyOf(host.name, ++this.#generation % mostGeneration);
    host.ownKey = key;
    host.registered = null;
    yield;
    const nexus = this.nexusOf(host);
    yield* this.#command(host, (at) => {
      this.lun.register(at, key);
    });
    host.registered = nexus;
    yield;
    const old = this.lun.read().keys.filter((one) => one !== key && isKeyOf(host.name, one));
    for (const one of old)
      yield* this.#command(host, (at) => {
        this.lun.preempt(at, key, one);
      });
  }

  *#reserve(host: Host): Steps {
    const { seen, ownKey } = this.#here(host);
    const names = this.hosts.map(({ name }) => name);
    if (ownKey === null || seen.reservation !== null || notReservable(names, seen) !== null) return false;
    yield* this.#command(host, (nexus) => {
      this.lun.reserve(nexus, ownKey);
    });
    return true;
  }

  *#fence(host: Host, dead: Host): Steps {
    const place = this.#newest;
    const isDeads = () => this.#newest === place && this.#lease(place).holder === dead;
    const actions: Record<FenceStep, () => Steps> = {
      prove: () => this.#inTurn(host, () => this.#mayTake(host, dead, isDeads)),
      revoke: () => this.#inOne(() => (this.#lease(place).isRevoked = true)),
      proveAgain: () => this.#inOne(isDeads),
      takeAccess: () => this.#inTurn(host, () => this.#take(host, dead)),
      wait: () => this.#inOne(() => true),
      succeed: () => this.#succeed(place),
    };
    for (const step of this.#order.fence) {
      if (!(yield* actions[step]())) return false;
      yield;
    }
    this.count.fences++;
    return true;
  }

  /** The living host's two calls, with the program between them. */
  *#fenceByProgram(dead: Host): Steps {
    const first = this.#newest;
    if (!(yield* this.#callByProgram(first, dead, true))) return false;
    yield;
    if (this.#order.fence.includes("takeAccess")) dead.cut = dead.boots;
    yield;
    const second = this.#order.program?.sameLease === true ? first : this.#newest;
    if (!(yield* this.#callByProgram(second, dead, false))) return false;
    this.count.fences++;
    return true;
  }

  *#callByProgram(place: number, dead: Host, isFirst: boolean): Steps {
    const isDeads = () => this.#newest === place && this.#lease(place).holder === dead;
    const actions: Record<FenceStep, () => Steps> = {
      prove: () => this.#inOne(isDeads),
      revoke: () => this.#inOne(() => (this.#lease(place).isRevoked = true)),
      proveAgain: () => this.#inOne(isDeads),
      takeAccess: () => this.#inOne(() => true),
      wait: () => this.#inOne(() => true),
      succeed: () => this.#succeed(place),
    };
    for (const step of this.#order.fence) {
      if (isFirst && step === "takeAccess") return true;
      if (!(yield* actions[step]())) return false;
      yield;
    }
    return true;
  }

  *#inOne(action: () => boolean): Steps {
    yield;
    return action();
  }

  *#mayTake(host: Host, dead: Host, isDeads: () => boolean): Steps {
    if (!isDeads()) return false;
    yield;
    return !("problem" in this.#toTake(host, dead));
  }

  #toTake(host: Host, dead: Host): ReturnType<typeof keysToTake> & { here: LunHere } {
    const here = this.#here(host);
    const takenAt = host.taken.get(`${dead.name} ${here.ownKey ?? ""}`) ?? null;
    return { here, ...keysToTake(here, dead.name, takenAt, here.seen) };
  }

  *#take(host: Host, dead: Host): Steps {
    const take = this.#toTake(host, dead);
    if ("problem" in take) return false;
    const ownKey = take.here.ownKey ?? "";
    for (const key of take.keys)
      yield* this.#command(host, (nexus) => {
        this.lun.preempt(nexus, ownKey, key);
      });
    const after = this.lun.read();
    if (notFenced(take.here, take.keys, after) !== null) return false;
    host.taken.set(`${dead.name} ${ownKey}`, after.generation);
    return true;
  }

  *#succeed(place: number): Steps {
    if (this.#newest !== place) return false;
    yield;
    this.#makeSuccessor(place);
    return true;
  }
}

const step = fc.tuple(
  fc.constantFrom(
    ...Array.from({ length: 14 }, () => "go"),
    ...["look", "look", "look", "start", "start", "start", "stop", "reserve", "fence", "fence", "fence"],
    ...["session", "kill", "orphan", "orphan", "boot", "restore", "restore"],
  ),
  fc.nat(2),
  fc.nat(2),
  fc.nat(3),
);
type Course = [string, number, number, number][];

/** Half of them begin where a VM runs on a LUN that is reserved. */
function run(course: Course, order: Order): Cluster {
  const cluster = new Cluster(order);
  const [first] = cluster.hosts;
  if (first === undefined) throw new TypeError("a cluster has hosts");
  const whole = (action: string, host: Host): void => {
    cluster.act(action, host, host, 0);
    for (let times = 0; times < 20; times++) cluster.act("go", host, host, 0);
  };
  if (course.length % 2 === 0) {
    for (const host of cluster.hosts) whole("look", host);
    whole("reserve", first);
    if (course.length % 4 === 0) whole("start", first);
  }
  for (const [action, one, other, at] of course) {
    const [host, second] = [cluster.hosts[one], cluster.hosts[other]];
    if (host === undefined || second === undefined) continue;
    cluster.act(action, host, second, at);
    // Most go on at once, and some stand still.
    if (action !== "go")
      for (let times = 0; times < 5 * at; times++)
        cluster.act("go", host, host, Math.max(0, host.threads.size - 1));
    expect(cluster.writers.length, cluster.writers.join(" and ")).toBeLessThan(2);
  }
  return cluster;
}

test("nothing of a fence is done after a step that failed", async () => {
  for (const failing of fenceSteps) {
    const done: FenceStep[] = [];
    const action = (step: FenceStep) => () => {
      done.push(step);
      return step === failing ? Promise.reject(new Error(step)) : Promise.resolve();
    };
    const actions = Object.fromEntries(fenceSteps.map((step) => [step, action(step)]));
    await expect(fenceInOrder(actions as Record<FenceStep, () => Promise<void>>)).rejects.toThrow(failing);
    expect(done).toEqual(fenceSteps.slice(0, fenceSteps.indexOf(failing) + 1));
  }
});

const courses = fc.array(step, { minLength: 20, maxLength: 120 });
const ours: Order = { fence: fenceSteps, acquireLooksAgain: true, startLooksAgain: true };

/** Files: nothing is activated, and a start does not look again once it has its lease. */
const byProgram: Order = {
  ...{ fence: fenceSteps, acquireLooksAgain: true, startLooksAgain: false },
  program: { sameLease: true, afterBoot: true },
};

test.each([
  ["reservations", ours],
  ["a program", byProgram],
])(
  "never do two hosts write with %s, wherever any of them stands still, is killed, or boots",
  (_by, order) => {
    const sum = { fences: 0, starts: 0, refusedStarts: 0 };
    fc.assert(
      fc.property(courses, (course) => {
        const { count } = run(course, order);
        for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += count[key];
      }),
      { numRuns: Number(process.env["FENCING_RUNS"] ?? 4000) },
    );
    if (process.env["FENCING_RUNS"] !== undefined) console.log(sum);
    expect(sum.fences).toBeGreaterThan(200);
    expect(sum.starts).toBeGreaterThan(1000);
    if (order.program === undefined) expect(sum.refusedStarts).toBeGreaterThan(200);
  },
);

type Story = (order: Order, fenceSteps: number) => Cluster;
const all = 60;

/** A LUN that is reserved for three hosts, and what one is asked for; it goes on when it is told. */
function stage(order: Order) {
  const cluster = new Cluster(order);
  const [a, b, c] = cluster.hosts;
  if (a === undefined || b === undefined || c === undefined) throw new TypeError("a cluster has three hosts");
  const begin = (action: string, host: Host, other = host): void => {
    cluster.act(action, host, other, 0);
  };
  const whole = (action: "look" | "reserve" | "start" | "stop", host: Host): void => {
    begin(action, host);
    cluster.go(host, action === "start" || action === "stop" ? "vm" : action, all);
  };
  for (const host of cluster.hosts) whole("look", host);
  whole("reserve", a);
  return { cluster, a, b, c, begin, whole };
}

/** A start has the lease and hangs; its host is fenced, registers again in the middle of that, and then the start goes on. */
const hangingStart: Story = (order, steps) => {
  const { cluster, a, b, begin, whole } = stage(order);
  begin("start", b);
  cluster.go(b, "vm", 6);
  begin("fence", a, b);
  cluster.go(a, "fence", steps);
  whole("look", b);
  cluster.go(b, "vm", all);
  cluster.go(a, "fence", all);
  whole("start", a);
  return cluster;
};

/** A host that is about to take the lease hangs; whoever had it is fenced and boots, and the lease is free for both. */
const hangingAcquire: Story = (order, steps) => {
  const { cluster, a, b, c, begin, whole } = stage(order);
  whole("start", b);
  begin("start", c);
  cluster.go(c, "vm", 2);
  begin("fence", a, b);
  cluster.go(a, "fence", steps);
  begin("boot", b);
  begin("start", a);
  cluster.go(a, "vm", 6);
  cluster.go(c, "vm", all);
  cluster.go(a, "vm", all);
  return cluster;
};

/** Whoever fences hangs, and meanwhile the VM is stopped and started on a third host. */
const hangingFence: Story = (order, steps) => {
  const { cluster, a, b, c, begin, whole } = stage(order);
  whole("start", b);
  begin("fence", a, b);
  cluster.go(a, "fence", steps);
  whole("stop", b);
  whole("start", c);
  cluster.go(a, "fence", all);
  whole("start", a);
  return cluster;
};

/** Whoever fences hangs; the host boots meanwhile, has its access back, and starts the VM again. */
const bootedHost: Story = (order, steps) => {
  const { cluster, a, b, begin, whole } = stage(order);
  whole("start", b);
  begin("fence", a, b);
  cluster.go(a, "fence", steps);
  begin("boot", b);
  begin("restore", b);
  whole("start", b);
  cluster.go(a, "fence", all);
  whole("start", a);
  return cluster;
};

/** A host that was fenced goes on, and asks for its access. */
const askingHost: Story = (order, steps) => {
  const cluster = frozenHost(order, steps);
  for (const host of cluster.hosts) cluster.act("restore", host, host, 0);
  return cluster;
};

/** The host of a running VM stands still as a whole. */
const frozenHost: Story = (order, steps) => {
  const { cluster, a, b, begin, whole } = stage(order);
  whole("start", b);
  begin("fence", a, b);
  cluster.go(a, "fence", steps + all);
  whole("start", a);
  return cluster;
};

const blind: Order = { ...byProgram, acquireLooksAgain: false };

const mostWriters = (story: Story, order: Order): number =>
  Math.max(...Array.from({ length: 40 }, (_, steps) => story(order, steps).writers.length));

test.each<[string, Story, string, Order]>([
  [
    ...(["a start that hangs", hangingStart, "keys are taken before the lease is revoked"] as const),
    { ...ours, fence: ["prove", "takeAccess", "revoke", "proveAgain", "wait", "succeed"] },
  ],
  ["a start that hangs", hangingStart, "no lease is revoked", without("revoke")],
  [
    ...(["a start that hangs", hangingStart, "it does not look at its lease again"] as const),
    { ...ours, startLooksAgain: false },
  ],
  ["a fence that hangs", hangingFence, "the lease is not looked at again", without("proveAgain")],
  ["a host that stands still", frozenHost, "no keys are taken", without("takeAccess")],
  ["a host that boots", bootedHost, "another lease is taken for it", changed({ sameLease: false })],
  [
    ...(["a host that boots", bootedHost, "no lease is revoked"] as const),
    { ...byProgram, fence: fenceSteps.filter((one) => one !== "revoke") },
  ],
  ["a start that is about to get the lease", hangingAcquire, "it does not look once it has it", blind],
  ["a host that goes on", askingHost, "it has its access back at once", changed({ afterBoot: false })],
  [
    ...(["a host that stands still", frozenHost, "the program does nothing"] as const),
    { ...byProgram, fence: fenceSteps.filter((one) => one !== "takeAccess") },
  ],
])("%s makes no second writer, and would by another order", (_name, story, _where, other) => {
  expect(mostWriters(story, other.program === undefined ? ours : byProgram)).toBe(1);
  expect(mostWriters(story, other)).toBe(2);
});

test.each([
  ["reservations", ours],
  ["a program", byProgram],
])(
  "an agent that is killed in a fence with %s leaves a revoked lease: whoever gets it next makes its successor, and one host writes",
  (_by, order) => {
    let cut = 0;
    fc.assert(
      fc.property(fc.nat(30), fc.array(fc.boolean(), { maxLength: all }), (steps, turns) => {
        const { cluster, a, b, c, begin, whole } = stage(order);
        whole("start", b);
        begin("fence", a, b);
        cluster.go(a, "fence", steps);
        begin("kill", a);
        begin("orphan", a);
        const [first] = cluster.leases;
        if (first?.isRevoked === true && cluster.leases.length === 1) cut++;
        // Its host is off: nobody has the lease, and two ask for it at once.
        begin("boot", b);
        begin("start", a);
        begin("start", c);
        for (const isFirst of turns) {
          cluster.go(isFirst ? a : c, "vm");
          expect(cluster.writers.length).toBeLessThan(2);
        }
        for (const host of [a, c]) cluster.go(host, "vm", all);
        for (const host of [a, c]) whole("start", host);
        expect(cluster.writers).toHaveLength(1);
        expect(cluster.leases).toHaveLength(first?.isRevoked === true ? 2 : 1);
      }),
      { numRuns: 2000 },
    );
    expect(cut).toBeGreaterThan(100);
  },
);

function without(step: FenceStep): Order {
  return { ...ours, fence: fenceSteps.filter((one) => one !== step) };
}

function changed(how: Partial<NonNullable<Order["program"]>>): Order {
  return { ...byProgram, program: { sameLease: true, afterBoot: true, ...how } };
}
