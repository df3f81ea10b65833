/** All moves of this host, as source or destination: those under way, and how the last ones ended. */
import { rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import {
  GodwitError,
  problemOfUnexpected,
  type CertificateOf,
  type MoveId,
  type MoveLimits,
  type MoveOrder,
  type MoveRecord,
  type Vm,
  type VmId,
} from "@godwit/contract";
import {
  hearWithoutMove,
  limitsRefusal,
  type DestinationEntry,
  type KnownMove,
  type SourceEntry,
  type ToDestination,
} from "@godwit/migration";
import { UndoStack } from "@godwit/system";
import { carriedStorage } from "./carried-storage.ts";
import { DestinationMove } from "./destination-move.ts";
import { endForSure } from "../qemu/end-for-sure.ts";
import { Journal, readJournals, type Role } from "./journal.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { MoveRecords, outcomeOf } from "./move-records.ts";
import type { DestinationLine } from "./peer-link.ts";
import { SourceLines, type LineOwner } from "./source-lines.ts";
import { SourceMove } from "./source-move.ts";
import { RecentSet } from "../recent-set.ts";

type Move = SourceMove | DestinationMove;

interface LeftMove {
  readonly moveId: MoveId;
  readonly role: Role;
  readonly entries: (SourceEntry | DestinationEntry)[];
}

interface Unanswerable {
  readonly vmId: VmId;
  /** Its source. */
  readonly from: string;
  readonly left: LeftMove;
  /** The newest that its source has made. */
  line: DestinationLine | null;
}

const hasEnded = ({ entries }: LeftMove): boolean => entries.at(-1)?.at === "ended";

const nobodysClaim: Disposable = { [Symbol.dispose]: () => undefined };

const keptRefusals = 1000;

export class Moves {
  readonly #dependencies: MoveDependencies;
  readonly #folder: string;
  readonly #active = new Map<MoveId, Move>();
  /** Moves that are being entered: who asks again meanwhile waits for them. */
  readonly #starting = new Map<MoveId, Promise<MoveRecord>>();
  readonly #preparing = new Map<MoveId, Promise<void>>();
  readonly #records: MoveRecords;
  /** Moves that were given up before they began: a `prepare` that is late, on the same line, must not begin them. */
  readonly #refused = new RecentSet<MoveId>(keptRefusals);
  /** Moves whose QEMU may live and does not answer, until it does or is gone: what became of them nobody may be told. */
  readonly #unanswerable = new Map<MoveId, Unanswerable>();
  readonly #lines: SourceLines;

  constructor(dependencies: MoveDependencies) {
    this.#dependencies = dependencies;
    this.#folder = `${dependencies.config.stateFolder}/moves`;
    const { config, hello, log } = dependencies;
    this.#records = new MoveRecords(this.#folder, log);
    this.#lines = new SourceLines({ host: config.name, hello, log }, (line, moveId, host) => {
      this.#accept(line, moveId, host);
    });
  }

  /**
   * Takes up the moves that an earlier agent left, from their journals.
   * @param isSetAside whether the VM's QEMU may live and does not answer. A claim does not say so: what a QEMU left that ended
   *   just now is cleared under one
   */
  async restore(isSetAside: (vmId: VmId) => boolean): Promise<void> {
    await this.#records.read();
    for (const left of await readJournals<SourceEntry | DestinationEntry>(this.#folder)) {
      const first = left.entries[0];
      if (first?.at !== "started") continue;
      const { vm, from } = first.order;
      if (isSetAside(vm.id)) this.#unanswerable.set(left.moveId, { vmId: vm.id, from, left, line: null });
      else await this.#takeUp(left, vm);
    }
  }

  /** The VM's QEMU answers now, or is gone: what waited for that goes on. The VM is claimed before this returns control. */
  async takeUp(vm: Pick<Vm, "id" | "name">): Promise<void> {
    const waiting = [...this.#unanswerable].filter(([, { vmId }]) => vmId === vm.id);
    // The one that goes on has the VM's claim before those that only wait until their peer knows.
    const inOrder = waiting.sort(
      ([, one], [, other]) => Number(hasEnded(one.left)) - Number(hasEnded(other.left)),
    );
    for (const [moveId, move] of inOrder) {
      try {
        await this.#takeUp(move.left, vm);
      } catch (error) {
        if (!hasEnded(move.left)) throw error;
        this.#dependencies.log.error({ err: error, move: moveId }, "a move that has ended was not taken up");
        continue;
      }
      this.#unanswerable.delete(moveId);
      // One that was made meanwhile is the newer.
      if (move.line !== null) this.#attach(move.line, moveId, move.from);
    }
  }

  async #takeUp(move: LeftMove, vm: Pick<Vm, "id" | "name">): Promise<void> {
    const { moveId, role, entries } = move;
    const { claims, processes, log } = this.#dependencies;
    // One that has ended only waits until its peer knows: the VM may be in another move's hands by now.
    const claim = hasEnded(move) ? nobodysClaim : await claims.claim(vm, "it is being moved", moveId);
    const process = processes.of(vm.id) ?? null;
    log.info({ move: moveId, role, vm: vm.name }, "move taken up again");
    await using undo = new UndoStack(() => undefined);
    undo.push("give the claim back", () => {
      claim[Symbol.dispose]();
    });
    if (role === "source") {
      const journal = await Journal.open<SourceEntry>(this.#folder, moveId, role);
      undo.push("close the journal", () => journal.close());
      const left = entries as SourceEntry[];
      this.#enter(moveId, await SourceMove.restore(left, process, claim, journal, this.#dependencies));
    } else {
      const journal = await Journal.open<DestinationEntry>(this.#folder, moveId, role);
      undo.push("close the journal", () => journal.close());
      const left = entries as DestinationEntry[];
      this.#enter(moveId, await DestinationMove.restore(left, process, claim, journal, this.#dependencies));
    }
    undo.commit();
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
      await environment.release(vm).catch((error: unknown) => {
        log.error({ err: error, vm: vm.name }, "the VM's taps or volumes could not be removed");
      });
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
      const storage = await carriedStorage(order, process, this.#dependencies);
      const journal = await Journal.open<SourceEntry>(this.#folder, order.id, "source");
      // Its description and its user as it runs count, not as someone believes it to be.
      const move = await SourceMove.begin(
        { ...order, vm: process.spec.vm, qemuUid: process.user.uid, ...(storage && { storage }) },
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

  /** @throws MOVE_UNKNOWN, TASK_NOT_CHANGEABLE */
  setLimits(id: MoveId, limits: MoveLimits, because: "asked" | "shared"): MoveRecord {
    const move = this.#active.get(id);
    const { phase } = this.show(id);
    const reason = move?.role === "source" ? limitsRefusal(move.state, limits) : "it is not under way here";
    if (move?.role !== "source" || reason !== null)
      throw GodwitError.of("TASK_NOT_CHANGEABLE", { task: id, state: phase, reason: reason ?? "" });
    move.setLimits(limits, because);
    return move.record;
  }

  /** Before another action on a VM: a move that brought it here and only waits for its lease is done with. */
  async settle(vmId: VmId): Promise<void> {
    for (const move of this.#active.values()) {
      if (move.role === "destination" && move.order.vm.id === vmId && move.isRunning) await move.supersede();
    }
    await this.#over(vmId);
  }

  /** Whether a move of the VM waits until its QEMU answers or is gone, see {@link takeUp}. */
  isUnanswerable(vmId: VmId): boolean {
    return [...this.#unanswerable.values()].some((move) => move.vmId === vmId);
  }

  /** A move of the VM that is decided, and only tidies up, is waited for. */
  async #over(vmId: VmId): Promise<void> {
    for (const move of this.#active.values()) {
      if (move.order.vm.id === vmId && move.state.phase === "ended") await move.ended;
    }
  }

  /** A source's agent asks for a line to its move. The caller is known to be this host. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, host: LineOwner): void {
    this.#lines.upgrade(request, socket, head, host);
  }

  /** Those by certificates that do not count any more end; where it has no others, its moves end by what the lease says. */
  dropLinesOf(host: string, counts: (certificate: CertificateOf) => boolean): void {
    this.#lines.dropOf(host, counts);
  }

  #accept(line: DestinationLine, moveId: MoveId, host: string): void {
    const unanswerable = this.#unanswerable.get(moveId);
    if (unanswerable === undefined) this.#attach(line, moveId, host);
    else if (unanswerable.from === host) unanswerable.line = line;
    line.onMessage((message) => {
      this.#hear(line, moveId, host, message).catch((error: unknown) => {
        this.#dependencies.log.error({ err: error, move: moveId }, "a message of a move was not taken");
        line.socket.terminate();
      });
    });
  }

  #attach(line: DestinationLine, moveId: MoveId, host: string): void {
    const move = this.#active.get(moveId);
    if (move?.role === "destination" && move.order.from === host) move.attach(line);
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
    const record = this.#records.of(moveId);
    if (record === undefined) return { kind: this.#refused.has(moveId) ? "refused" : "unknown" };
    const outcome = outcomeOf(record);
    return outcome === null ? null : { kind: "ended", outcome };
  }

  #enter(id: MoveId, move: Move): void {
    this.#active.set(id, move);
    const keep = async () => {
      await move.ended;
      // A move that had ended before a restart has its full record already.
      if (this.#records.of(id) === undefined) await this.#records.keep(id, move);
      await move.closed;
      this.#active.delete(id);
      await rm(move.journalPath, { force: true });
      await this.#records.trim();
    };
    keep().catch((error: unknown) => {
      this.#dependencies.log.error({ err: error, move: id }, "a move's record could not be kept");
    });
  }

  #find(id: MoveId): MoveRecord | null {
    return this.#records.of(id) ?? this.#active.get(id)?.record ?? null;
  }
}
