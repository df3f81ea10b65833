/**
 * One person's line to a VM's console, over the agent of the host that runs it. When the agent's end goes
 * away, the VM has moved, or the agent is being restarted, or the VM has stopped: it is looked up and
 * followed, with not a byte of its output lost or shown twice. What is typed meanwhile waits.
 */
import { isUp, consoleMessageSchema, GodwitError, type ConsoleMessage, type VmView } from "@godwit/contract";
import { keepAlive } from "@godwit/http";
import type { Store } from "@godwit/store";
import type { Logger } from "pino";
import type { RawData, WebSocket } from "ws";
import type { HostLinks } from "../hosts/host-links.ts";

/** A VM that cannot be reached for this long is given up. */
const patienceMs = 30_000;
/** A move's own end takes less, and is nothing to speak of. */
const tellAfterMs = 2000;
/** A host that comes back changes nothing in the database. */
const lookAgainMs = 1000;
/** More than this on its way in one direction, and the sender is not read from. */
const highWaterBytes = 128 * 1024;

export interface ConsoleSessionParts {
  vm: VmView;
  line: WebSocket;
  query: { readOnly: boolean; tailBytes: number };
  store: Store;
  hosts: HostLinks;
  log: Logger;
}

export class ConsoleSession {
  readonly #parts: ConsoleSessionParts;
  readonly #gone = new AbortController();
  #upstream: WebSocket | null = null;
  /** Where in which process's output the next byte is from. */
  #position: { process: string; at: number } | null = null;

  constructor(parts: ConsoleSessionParts) {
    this.#parts = parts;
    parts.line.on("close", () => {
      this.#gone.abort();
      this.#upstream?.terminate();
    });
  }

  /** Says why, and ends. */
  end(error: GodwitError): void {
    const { line } = this.#parts;
    if (this.#gone.signal.aborted) return;
    this.#say({ type: "ended", problem: error.problem });
    line.resume();
    line.close(1000);
    this.#gone.abort();
    this.#upstream?.terminate();
  }

  /** Resolves when the line has ended. */
  async run(): Promise<void> {
    const { line, log } = this.#parts;
    line.pause();
    line.on("message", (data, isBinary) => {
      if (isBinary && this.#upstream !== null) forward(data, line, this.#upstream);
    });
    try {
      await this.#follow();
    } catch (error) {
      if (!GodwitError.is(error)) log.error({ err: error }, "a console ended by a bug");
      this.end(GodwitError.is(error) ? error : this.#lost("Godwit itself failed", this.#parts.vm.host));
    }
  }

  async #follow(): Promise<void> {
    let { host } = this.#parts.vm;
    let heldAt = performance.now();
    let isTold = false;
    while (!this.#gone.signal.aborted) {
      const { vm, taskId } = await this.#whereabouts();
      const failure = await this.#attach(vm).then(
        () => null,
        (error: unknown) => error,
      );
      const now = performance.now();
      if (failure === null) {
        host = vm.host;
        isTold = false;
        const wasShort = now - heldAt < lookAgainMs;
        heldAt = now;
        if (!wasShort) continue;
      } else {
        if (!GodwitError.is(failure)) throw failure;
        if (now - heldAt > patienceMs) throw this.#lost(failure.message.replace(/\.$/, ""), vm.host);
        if (!isTold && now - heldAt > tellAfterMs) {
          isTold = true;
          this.#say({ type: "waiting", host });
        }
      }
      await this.#somethingHappens(vm.id, taskId);
    }
  }

  /** Where the VM is now. @throws VM_NOT_RUNNING when it has stopped for good; VM_UNKNOWN */
  async #whereabouts(): Promise<{ vm: VmView; taskId: string | undefined }> {
    const { store, vm: asked } = this.#parts;
    const vm = await store.vms.show(asked.id);
    const task = (await store.tasks.unfinished()).find(({ subject }) => subject.id === vm.id);
    const mayBeMoving = task?.kind === "vm.migrate";
    if (!isUp(vm) && !mayBeMoving) throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: vm.state });
    return { vm, taskId: task?.id };
  }

  /** A line to the agent, for as long as it holds. @throws CONNECTION_FAILED, VM_NOT_RUNNING when there is none */
  async #attach(vm: VmView): Promise<void> {
    const { line, query, hosts } = this.#parts;
    const position = this.#position;
    const upstream = await hosts.of(vm.host).agent.open("vmConsole", {
      params: { vmId: vm.id },
      query: {
        readOnly: query.readOnly ? "true" : "false",
        ...(position === null ? { tailBytes: query.tailBytes } : position),
      },
    });
    keepAlive(upstream);
    const ended = new Promise((resolve) => upstream.once("close", resolve));
    upstream.on("message", (data, isBinary) => {
      if (!isBinary) {
        this.#hear(data);
        return;
      }
      if (this.#position !== null) this.#position.at += (data as Buffer).length;
      forward(data, upstream, line);
    });
    if (this.#gone.signal.aborted) upstream.terminate();
    this.#upstream = upstream;
    upstream.resume();
    line.resume();
    await ended;
    this.#upstream = null;
    line.pause();
  }

  #hear(data: RawData): void {
    const message = consoleMessageSchema.parse(JSON.parse((data as Buffer).toString("utf8")));
    if (message.type !== "attached") return;
    this.#position = { process: message.process ?? "", at: message.at ?? 0 };
    this.#say({ type: "attached", host: message.host });
  }

  #say(message: ConsoleMessage): void {
    this.#parts.line.send(JSON.stringify(message), () => undefined);
  }

  #lost(reason: string, host: string): GodwitError {
    return GodwitError.of("CONSOLE_LOST", { vm: this.#parts.vm.name, host, reason });
  }

  /** The VM or its task changes, or some time has passed. */
  async #somethingHappens(vmId: string, taskId: string | undefined): Promise<void> {
    const { events } = this.#parts.store;
    const signal = AbortSignal.any([this.#gone.signal, AbortSignal.timeout(lookAgainMs)]);
    for await (const { subject } of events.after(await events.lastId(), signal)) {
      if (subject.id === vmId || subject.id === taskId) return;
    }
  }
}

/** Sends on, and lets the sender wait while too much is on its way. */
function forward(data: RawData, from: WebSocket, to: WebSocket): void {
  to.send(data, { binary: true }, () => {
    if (from.isPaused && to.bufferedAmount < highWaterBytes / 2) from.resume();
  });
  if (to.bufferedAmount > highWaterBytes) from.pause();
}
