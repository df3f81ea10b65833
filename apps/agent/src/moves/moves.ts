/** All moves of this host, as source or destination: those under way, and how the last ones ended. */
import { readdir, readFile, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import {
  commonVersion,
  GodwitError,
  helloHeaders,
  helloOf,
  helloText,
  moveIdSchema,
  moveRecordSchema,
  type MoveId,
  type MoveOrder,
  type MoveRecord,
  type VmId,
  problemOfUnexpected,
  parseJson,
} from "@godwit/contract";
import {
  hearWithoutMove,
  toDestinationWire,
  toSourceWire,
  type DestinationEntry,
  type DestinationOutcome,
  type KnownMove,
  type SourceEntry,
  type ToDestination,
} from "@godwit/migration";
import { writeFileAtomic } from "@godwit/system";
import { WebSocketServer, type WebSocket } from "ws";
import { DestinationMove } from "./destination-move.ts";
import { endForSure } from "../qemu/end-for-sure.ts";
import { Journal, readJournals } from "./journal.ts";
import type { MoveDependencies } from "./dependencies.ts";
import type { DestinationLine } from "./peer-link.ts";
import { PeerLine } from "./peer-line.ts";
import { SourceMove } from "./source-move.ts";
import { RecentSet } from "../recent-set.ts";

type Move = SourceMove | DestinationMove;

const nobodysClaim: Disposable = { [Symbol.dispose]: () => undefined };

/** Ended moves that can still be asked for. */
const keptRecords = 200;
const keptRefusals = 1000;
const recordRetryMs = 1000;

export class Moves {
  readonly #dependencies: MoveDependencies;
  readonly #folder: string;
  readonly #active = new Map<MoveId, Move>();
  /** Moves that are being entered: who asks again meanwhile waits for them. */
  readonly #starting = new Map<MoveId, Promise<MoveRecord>>();
  readonly #preparing = new Map<MoveId, Promise<void>>();
  readonly #records = new Map<MoveId, MoveRecord>();
  /** Moves that were given up before they began: a `prepare` that is late, on the same line, must not begin them. */
  readonly #refused = new RecentSet<MoveId>(keptRefusals);
  /** Moves whose QEMU lives and does not answer: what became of them nobody may be told. */
  readonly #unanswerable = new Map<MoveId, VmId>();
  /** Of the sources' agents, with the host that each is of. */
  readonly #lines = new Map<WebSocket, string>();
  readonly #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 1 << 20 });

  constructor(dependencies: MoveDependencies) {
    this.#dependencies = dependencies;
    this.#folder = `${dependencies.config.stateFolder}/moves`;
    this.#sockets.on("headers", (lines) => {
      for (const [name, value] of Object.entries(helloHeaders(dependencies.hello)))
        lines.push(`${name}: ${value}`);
    });
  }

  /** Takes up the moves that an earlier agent left, from their journals. */
  async restore(): Promise<void> {
    await this.#readRecords();
    const { claims, processes } = this.#dependencies;
    for (const { moveId, role, entries } of await readJournals<SourceEntry | DestinationEntry>(
      this.#folder,
    )) {
      const first = entries[0];
      if (first?.at !== "started") continue;
      const { vm } = first.order;
      if (claims.claimed.has(vm.id) && processes.of(vm.id) === undefined) {
        this.#unanswerable.set(moveId, vm.id); // its QEMU does not answer
        continue;
      }
      // One that has ended only waits until its peer knows: the VM may be in another move's hands by now.
      const hasEnded = entries.at(-1)?.at === "ended";
      const claim = hasEnded ? nobodysClaim : await claims.claim(vm, "it is being moved", moveId);
      const process = processes.of(vm.id) ?? null;
      this.#dependencies.log.info({ move: moveId, role, vm: vm.name }, "move taken up again");
      if (role === "source") {
        const journal = await Journal.open<SourceEntry>(this.#folder, moveId, role);
        const move = await SourceMove.restore(
          entries as SourceEntry[],
          process,
          claim,
          journal,
          this.#dependencies,
        );
        this.#enter(moveId, move);
      } else {
        const journal = await Journal.open<DestinationEntry>(this.#folder, moveId, role);
        const move = await DestinationMove.restore(
          entries as DestinationEntry[],
          process,
          claim,
          journal,
          this.#dependencies,
        );
        this.#enter(moveId, move);
      }
    }
  }

  /** QEMUs that a move made and that no move knows of any more: one that never got its state is of no use to anybody. */
  async endOrphans(): Promise<void> {
    const { claims, environment, processes, log } = this.#dependencies;
    for (const process of processes.present.filter(({ vmId }) => !claims.claimed.has(vmId))) {
      const { vm } = process.spec;
      const status = await process.status().then(
        (answer) => answer.status,
        () => null, // nothing is known of it, so nothing is done
      );
      if (status === "postmigrate")
        log.error(
          { vm: vm.name },
          "this VM's memory was sent away by a move that nobody knows of; it stands still",
        );
      if (status !== "inmigrate") continue;
      log.warn({ vm: vm.name }, "a QEMU that waited for a move that nobody knows of is ended");
      processes.ending(vm.id);
      await endForSure(process, log);
      processes.remove(vm.id, "moved");
      await environment.deleteTaps(vm);
    }
  }

  /** Begins a move away from here; the same order again answers the same move. @throws VM_UNKNOWN, VM_NOT_RUNNING, VM_BUSY */
  async start(order: MoveOrder): Promise<MoveRecord> {
    const known = this.#find(order.id);
    if (known !== null) return known;
    const starting = this.#starting.get(order.id) ?? this.#begin(order);
    this.#starting.set(order.id, starting);
    return await starting.finally(() => this.#starting.delete(order.id));
  }

  async #begin(order: MoveOrder): Promise<MoveRecord> {
    const { processes, claims } = this.#dependencies;
    const process = processes.of(order.vm.id);
    if (process === undefined)
      throw GodwitError.of("VM_NOT_RUNNING", { vm: order.vm.name, state: "not on this host" });
    await this.settle(order.vm.id);
    const claim = await claims.claim(order.vm, "it is being moved", order.id);
    try {
      const journal = await Journal.open<SourceEntry>(this.#folder, order.id, "source");
      // Its description and its user as it runs count, not as someone believes it to be.
      const move = await SourceMove.begin(
        { ...order, vm: process.spec.vm, qemuUid: process.user.uid },
        process,
        claim,
        journal,
        this.#dependencies,
      );
      this.#enter(order.id, move);
      return move.record;
    } catch (error) {
      claim[Symbol.dispose]();
      throw error;
    }
  }

  /** @throws MOVE_UNKNOWN */
  show(id: MoveId): MoveRecord {
    const record = this.#find(id);
    if (record === null) throw GodwitError.of("MOVE_UNKNOWN", { move: id });
    return record;
  }

  /** @throws MOVE_UNKNOWN, TASK_NOT_CANCELLABLE */
  cancel(id: MoveId): MoveRecord {
    const move = this.#active.get(id);
    const { phase } = this.show(id);
    if (move?.role !== "source" || (!move.cancellable && phase !== "cancelling")) {
      const reason = phase === "committed" ? "the VM already runs at its destination" : "it is ending";
      throw GodwitError.of("TASK_NOT_CANCELLABLE", { task: id, state: phase, reason });
    }
    move.cancel();
    return move.record;
  }

  /** Before another action on a VM: a move that brought it here and only waits for its lease is done with. */
  async settle(vmId: VmId): Promise<void> {
    for (const move of this.#active.values()) {
      if (move.role === "destination" && move.order.vm.id === vmId && move.isRunning) await move.supersede();
    }
    await this.#over(vmId);
  }

  /** Whether a move of the VM waits for its QEMU, and only a restart of this agent takes it up. */
  isUnanswerable(vmId: VmId): boolean {
    return [...this.#unanswerable.values()].includes(vmId);
  }

  /** A move of the VM that is decided, and only tidies up, is waited for. */
  async #over(vmId: VmId): Promise<void> {
    for (const move of this.#active.values()) {
      if (move.order.vm.id === vmId && move.state.phase === "ended") await move.ended;
    }
  }

  /** A source's agent asks for a line to its move. The caller is known to be `host`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, host: string): void {
    const moveId = moveIdSchema.safeParse(/^\/peer\/v1\/moves\/([^/?]+)$/.exec(request.url ?? "")?.[1]);
    if (!moveId.success) {
      socket.destroy();
      return;
    }
    const { hello, config, log } = this.#dependencies;
    const peer = helloOf(request.headers);
    const version = commonVersion(hello.protocol, peer.protocol);
    this.#sockets.handleUpgrade(request, socket, head, (accepted) => {
      accepted.on("error", () => undefined);
      this.#lines.set(accepted, host);
      accepted.on("close", () => this.#lines.delete(accepted));
      if (version === null) {
        // The source's agent knows it by the headers of the answer, and tells its user.
        log.warn({ host, version: helloText(peer) }, "a host's agent has no version in common with this one");
        accepted.close();
        return;
      }
      const line = new PeerLine(accepted, {
        version,
        heard: toDestinationWire,
        said: toSourceWire,
        host: config.name,
        hello,
        log,
      });
      this.#accept(line, moveId.data, host);
    });
  }

  /** A host is no member any more: its connections end, and moves from it by what the lease says. */
  dropLinesOf(host: string): void {
    for (const [line, of] of this.#lines) if (of === host) line.terminate();
  }

  #accept(line: DestinationLine, moveId: MoveId, host: string): void {
    const move = this.#active.get(moveId);
    if (move?.role === "destination" && move.order.from === host) move.attach(line);
    line.onMessage((message) => {
      this.#hear(line, moveId, host, message).catch((error: unknown) => {
        this.#dependencies.log.error({ err: error, move: moveId }, "a message of a move was not taken");
        line.socket.terminate();
      });
    });
  }

  async #hear(line: DestinationLine, moveId: MoveId, host: string, message: ToDestination): Promise<void> {
    await this.#preparing.get(moveId);
    if (this.#unanswerable.has(moveId)) return;
    const move = this.#active.get(moveId);
    if (move !== undefined) {
      if (move.role === "destination" && move.order.from === host) move.hear(message);
      return;
    }
    try {
      const known = this.#known(moveId);
      if (known === null) return;
      const heard = hearWithoutMove(known, moveId, message.type);
      if (heard.do === "begin") {
        // Only a `prepare` begins a move.
        if (message.type === "prepare") await this.#begins(line, moveId, host, message.order);
        return;
      }
      if (heard.refuse) this.#refused.add(moveId);
      if (heard.answer !== null) line.send(heard.answer);
    } catch (error) {
      const problem = problemOfUnexpected(error, moveId);
      this.#dependencies.log.warn({ err: error, move: moveId }, "a move was not accepted");
      line.send({ type: "gaveUp", problem });
    }
  }

  /** Who asks again meanwhile waits until the move is entered. */
  async #begins(line: DestinationLine, moveId: MoveId, host: string, order: MoveOrder): Promise<void> {
    const preparing = this.#prepare(line, moveId, host, order);
    this.#preparing.set(
      moveId,
      preparing.catch(() => undefined),
    );
    await preparing.finally(() => this.#preparing.delete(moveId));
  }

  async #prepare(line: DestinationLine, moveId: MoveId, host: string, order: MoveOrder): Promise<void> {
    const { config, claims, processes } = this.#dependencies;
    if (order.id !== moveId || order.from !== host || order.to.host !== config.name) {
      throw GodwitError.of("FORBIDDEN", { who: `Host ${host}`, needs: "an order of its own for this host" });
    }
    await this.#over(order.vm.id);
    const claim = await claims.claim(order.vm, "it is being moved", moveId);
    try {
      if (processes.of(order.vm.id) !== undefined) {
        throw GodwitError.of("VM_RUNNING", { vm: order.vm.name, host: config.name });
      }
      const journal = await Journal.open<DestinationEntry>(this.#folder, moveId, "destination");
      const move = DestinationMove.begin(order, claim, journal, this.#dependencies);
      this.#enter(moveId, move);
      move.attach(line);
    } catch (error) {
      claim[Symbol.dispose]();
      throw error;
    }
  }

  /** What is left of a move that does not go on here; null: its record does not say how it ended, so nothing is answered. */
  #known(moveId: MoveId): KnownMove | null {
    const record = this.#records.get(moveId);
    if (record === undefined) return { kind: this.#refused.has(moveId) ? "refused" : "unknown" };
    const outcome = outcomeOf(record);
    return outcome === null ? null : { kind: "ended", outcome };
  }

  #enter(id: MoveId, move: Move): void {
    this.#active.set(id, move);
    const keep = async () => {
      await move.ended;
      // A move that had ended before a restart has its full record already.
      if (!this.#records.has(id)) await this.#keepRecord(id, move);
      await move.closed;
      this.#active.delete(id);
      await rm(move.journalPath, { force: true });
      await this.#trim();
    };
    keep().catch((error: unknown) => {
      this.#dependencies.log.error({ err: error, move: id }, "a move's record could not be kept");
    });
  }

  /**
   * Writes down how a move ended, however often that must be tried: a full disk has room again some day, and the
   * journal, which tells the same, may not go before.
   */
  async #keepRecord(id: MoveId, move: Move): Promise<void> {
    const { role, record } = move;
    this.#records.set(id, record);
    for (;;) {
      try {
        await writeFileAtomic(this.#recordPath(id), JSON.stringify({ role, record }));
        return;
      } catch (error) {
        this.#dependencies.log.warn({ err: error, move: id }, "a move's record could not be written yet");
      }
      await new Promise((resolve) => setTimeout(resolve, recordRetryMs).unref());
    }
  }

  #find(id: MoveId): MoveRecord | null {
    return this.#records.get(id) ?? this.#active.get(id)?.record ?? null;
  }

  #recordPath(id: MoveId): string {
    return join(this.#folder, `${id}.record.json`);
  }

  async #readRecords(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => [] as string[]);
    for (const name of names.filter((one) => one.endsWith(".record.json"))) {
      try {
        const { record } = parseJson(await readFile(join(this.#folder, name), "utf8")) as {
          record: unknown;
        };
        const parsedRecord = moveRecordSchema.parse(record);
        this.#records.set(parsedRecord.id, parsedRecord);
      } catch (error) {
        this.#dependencies.log.warn({ err: error, name }, "a move's record could not be read");
      }
    }
  }

  async #trim(): Promise<void> {
    const oldest = [...this.#records.values()]
      .sort((a, b) => (a.phases.at(-1)?.at ?? "").localeCompare(b.phases.at(-1)?.at ?? ""))
      .slice(0, Math.max(0, this.#records.size - keptRecords));
    for (const { id } of oldest) {
      this.#records.delete(id);
      await rm(this.#recordPath(id), { force: true });
    }
  }
}

/** How a destination's half ended, of which only the record is left. Only a success is taken for a guest that runs. */
export function outcomeOf({ phase, error }: Pick<MoveRecord, "phase" | "error">): DestinationOutcome | null {
  if (phase === "succeeded") return { kind: "runs" };
  if (error === null) return null;
  return { kind: error.code === "MOVE_VM_LOST" ? "died" : "gaveUp", problem: error };
}
