/**
 * A pool that runs itself, with real QEMU: four hosts, twelve small VMs with loads of their own, one made hot while a client writes to it. The pool
 * settles; a host is emptied for maintenance and comes back; the host with the hot VM loses its power, and its VMs run again. Asked of
 * the machine and of the client: each VM ran once at every moment, and no write that was acknowledged is gone.
 */
import { writeFile } from "node:fs/promises";
import type { PoolRound, VmView } from "@godwit/contract";
import { Load, qemusOf, RunWatch, vmAddress, writtenBy } from "@godwit/lab";
import { until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { measure } from "./measure/interruption.ts";
import { table } from "./measure/statistics.ts";
import { numberOf, readOptions } from "../scripts/options.ts";

const usage = `usage: npm run bench:pools -- [--memory 160] [--quiet-rounds 3] [--json FILE]

  --memory MIB      of each VM
  --quiet-rounds N  the pool has settled after so many rounds without a move
  --json FILE       the figures, for other programs`;

const values = readOptions(usage, {
  memory: { type: "string", default: "160" },
  "quiet-rounds": { type: "string", default: "3" },
  json: { type: "string" },
});
const memoryMib = numberOf(usage, "--memory", values.memory, 64);
const quietRounds = numberOf(usage, "--quiet-rounds", values["quiet-rounds"]);

const hosts = ["a", "b", "c", "d"];
const names = Array.from({ length: 12 }, (_, index) => `vm-${String(index + 1)}`);
const hot = names[0] ?? "";
const params = { pool: "east" };
const settleLimitMs = 900_000;
const restartLimitMs = 400_000;

interface Settled {
  rounds: PoolRound[];
  seconds: number;
}

interface Figures {
  settled: { rounds: number; moves: number; seconds: number };
  maintenance: { moves: number; seconds: number };
  restarted: { vms: number; seconds: number };
  client: { acknowledged: number; lost: number; duplicated: number };
}

class Story {
  readonly #lab: TestLab;
  readonly #started = performance.now();
  #watches: RunWatch[] = [];

  constructor(lab: TestLab) {
    this.#lab = lab;
  }

  async tell(): Promise<Figures> {
    const { api } = this.#lab;
    await api.call("poolCreate", { body: { name: params.pool, hosts } });
    for (const [index, name] of names.entries())
      await this.#lab.boot({ name, on: hosts[Math.floor(index / 3)] ?? "a", memoryMib });
    // Loads of their own: each changes some of its memory all the time. Little: emulated guests pay dearly for it.
    for (const index of names.keys())
      await this.#lab.dirty({ mib: 1, mibPerSecond: 1, compressiblePercent: 100 - 25 * (index % 3) }, index);
    const written = await this.#written();
    this.#say("12 VMs run on 4 hosts");
    await using _watches = await this.#watch(names.slice(0, 3));
    await api.call("poolRestartSet", { params, body: { enabled: true } });
    await api.call("poolBalanceSet", { params, body: { automation: "full", threshold: 4, goal: "even" } });
    await using load = await Load.start(this.#lab.lab.id, vmAddress(0), false);
    // A client alone waits for its guest's disk most of the time.
    await this.#lab.dirty({ mib: 1, mibPerSecond: 4000, compressiblePercent: 0 }, 0);
    this.#say(`${hot} is made hot, and a client writes to it`);

    const settled = await this.#settle();
    await this.#eachRunsOnce();
    const maintenance = await this.#maintain();
    await this.#eachRunsOnce();
    await this.#goesOn(written);
    const restarted = await this.#loseHost(load);
    await this.#eachRunsOnce();
    const atOnce = this.#watches.map(({ mostAtOnce }) => mostAtOnce);
    if (atOnce.some((most) => most !== 1))
      throw new Error(`VMs ran on more than one host at once: ${atOnce.join(", ")}`);
    const client = await load.finish([]);
    const moves = settled.rounds.flatMap((round) => round.moves);
    return {
      settled: { rounds: settled.rounds.length, moves: moves.length, seconds: settled.seconds },
      ...{ maintenance, restarted, client },
    };
  }

  /** Rounds that moved something, until several in a row move nothing. */
  async #settle(): Promise<Settled> {
    const { api } = this.#lab;
    const started = performance.now();
    const rounds = new Map<number, PoolRound>();
    let lastMoveAt = started;
    const isSettled = async () => {
      const { round } = await api.call("poolRecommendations", { params });
      if (round === null) return false;
      rounds.set(round.round, round);
      const all = [...rounds.values()];
      const last = all.findLastIndex(({ moves }) => moves.length > 0);
      if (last === all.length - 1) lastMoveAt = performance.now();
      return last >= 0 && all.length - 1 - last >= quietRounds;
    };
    // A round tells nobody.
    if ((await until(isSettled, { everyMs: 1000, limitMs: settleLimitMs })) === null)
      throw new Error("the pool did not settle");
    const moving = [...rounds.values()].filter(({ moves }) => moves.length > 0);
    for (const { round, moves } of moving)
      for (const { vm, from, to, state, detail } of moves)
        this.#say(
          `round ${String(round)}: ${vm} from ${from ?? "-"} to ${to}: ${state}${detail === null ? "" : ` (${detail})`}`,
        );
    if (moving.some(({ moves }) => moves.some(({ state }) => state !== "done")))
      throw new Error("a move of the balancer was not made");
    return { rounds: moving, seconds: (lastMoveAt - started) / 1000 };
  }

  /** The host of the hot VM is emptied under load, and comes back. */
  async #maintain(): Promise<Figures["maintenance"]> {
    const { api } = this.#lab;
    const { host } = await this.#lab.vm(hot);
    const started = performance.now();
    const task = await this.#lab.succeeded(
      api.call("hostMaintenanceEnter", {
        params: { host },
        body: { concurrency: 2, maxOutageMs: 10_000 },
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    const here = (await qemusOf(this.#lab.lab)).filter((one) => one.host === host);
    if (here.length > 0) throw new Error(`${host} is in maintenance and has ${String(here.length)} QEMUs`);
    await api.call("hostMaintenanceExit", { params: { host } });
    const moves = task.steps.filter(({ key, state }) => key === "move" && state === "done").length;
    this.#say(`host ${host} was emptied of ${String(moves)} VMs, and takes VMs again`);
    return { moves, seconds };
  }

  /** The host of the hot VM loses its power. */
  async #loseHost(load: Load): Promise<Figures["restarted"]> {
    const { host } = await this.#lab.vm(hot);
    const died = (await this.#all()).filter((vm) => vm.host === host).map(({ name }) => name);
    const started = performance.now();
    await this.#lab.lab.host(host).cutPower();
    this.#say(`host ${host} lost its power with ${died.join(", ")} on it`);
    const runAgain = async () =>
      (await this.#all()).every(
        (vm) => !died.includes(vm.name) || (vm.state === "running" && vm.host !== host),
      );
    if ((await until(runAgain, { everyMs: 1000, limitMs: restartLimitMs })) === null)
      throw new Error(`VMs of ${host} do not run again`);
    const seconds = (performance.now() - started) / 1000;
    this.#say("its VMs run again");
    load.reconnect();
    await this.#lab.lab.host(host).powerOn();
    return { vms: died.length, seconds };
  }

  async #all(): Promise<VmView[]> {
    return await Promise.all(names.map((name) => this.#lab.vm(name)));
  }

  async #written(): Promise<number[]> {
    return await Promise.all(names.map((_, index) => writtenBy(this.#lab.lab.id, vmAddress(index))));
  }

  /** A guest that had started again would have written nothing. */
  async #goesOn(before: readonly number[]): Promise<void> {
    const now = await this.#written();
    const lost = names.filter((_, index) => (now[index] ?? 0) <= (before[index] ?? 0));
    if (lost.length > 0) throw new Error(`guests did not go on: ${lost.join(", ")}`);
  }

  /** Asked of the machine. */
  async #eachRunsOnce(): Promise<void> {
    const vms = await this.#all();
    let wrong: string[] = [];
    const isRight = async () => {
      const running = (await qemusOf(this.#lab.lab)).filter((one) => one.running);
      const counts = vms.map(async ({ id, name }) => {
        // A QEMU that is followed answers nobody else.
        const watch = this.#watches.find(({ vmId }) => vmId === id);
        const on = watch === undefined ? running.filter(({ vmId }) => vmId === id) : await watch.runners();
        return on.length === 1 ? [] : [name];
      });
      wrong = (await Promise.all(counts)).flat();
      return wrong.length === 0;
    };
    // A source that has given its VM away ends a moment later.
    if ((await until(isRight, { everyMs: 500, limitMs: 30_000 })) === null)
      throw new Error(`VMs do not run exactly once: ${wrong.join(", ")}`);
  }

  /** Follows these from now on. */
  async #watch(which: readonly string[]): Promise<AsyncDisposable> {
    const vms = await Promise.all(which.map((name) => this.#lab.vm(name)));
    this.#watches = await Promise.all(vms.map(({ id }) => RunWatch.begin(this.#lab.lab, id)));
    return {
      [Symbol.asyncDispose]: async () => {
        await Promise.all(this.#watches.map((watch) => watch[Symbol.asyncDispose]()));
      },
    };
  }

  #say(text: string): void {
    console.log(`${((performance.now() - this.#started) / 1000).toFixed(0).padStart(5)} s  ${text}`);
  }
}

function show({ settled, maintenance, restarted, client }: Figures): void {
  const seconds = (value: number) => `${value.toFixed(0)} s`;
  console.log(
    table([
      ["", "rounds", "VMs moved or started", "time"],
      ["settled", String(settled.rounds), String(settled.moves), seconds(settled.seconds)],
      ["emptied", "", String(maintenance.moves), seconds(maintenance.seconds)],
      ["run again", "", String(restarted.vms), seconds(restarted.seconds)],
    ]),
  );
  const { acknowledged, lost, duplicated } = client;
  console.log(
    `client: ${String(acknowledged)} acknowledged, ${String(lost)} lost, ${String(duplicated)} duplicated`,
  );
}

await measure(async (interrupted) => {
  await using lab = await TestLab.start({ hosts });
  const figures = await Promise.race([new Story(lab).tell(), interrupted]);
  show(figures);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
  const { settled, client } = figures;
  if (client.lost + client.duplicated > 0) throw new Error("the client was harmed");
  if (settled.rounds > 2) throw new Error(`the pool took ${String(settled.rounds)} rounds to settle`);
  // The hot VM's two neighbours, at most: a pool that moves more moves some for nothing.
  if (settled.moves > 2) throw new Error(`the pool made ${String(settled.moves)} moves`);
});
