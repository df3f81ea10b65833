/**
 * One user's connection to a VM's console, by way of the agent of the host that runs it. When the agent closes its
 * connection, the VM has moved, the agent restarts, or the VM has stopped: the VM is looked up and the session
 * reconnects, with no byte of its output lost or shown twice. What is typed meanwhile waits.
 */
import {
  hasProcess,
  readConsoleMessage,
  GodwitError,
  type ConsoleMessage,
  type VmView,
} from "@godwit/contract";
import { forward, keepAlive } from "@godwit/http";
import type { Store } from "@godwit/store";
import type { Logger } from "pino";
import type { RawData, WebSocket } from "ws";
import type { HostLinks } from "../hosts/host-links.ts";

/** A session that cannot reconnect for this long ends. */
const reconnectLimitMs = 30_000;
/** The end of a move takes less, and is not reported. */
const reportAfterMs = 2000;
/** A host that responds again changes nothing in the database. */
const lookAgainMs = 1000;
/** With more than this unsent in one direction, the sender is not read from. */
const highWaterBytes = 128 * 1024;

export interface ConsoleSessionOptions {
  vm: VmView;
  socket: WebSocket;
  query: { readOnly: boolean; tailBytes: number };
  store: Store;
  hosts: HostLinks;
  log: Logger;
}

export class ConsoleSession {
  readonly #options: ConsoleSessionOptions;
  readonly #closed = new AbortController();
  #upstream: WebSocket | null = null;
  /** Where in which process's output the next byte is from. */
  #position: { process: string; at: number } | null = null;

  constructor(options: ConsoleSessionOptions) {
    this.#options = options;
    options.socket.on("close", () => {
      this.#closed.abort();
      this.#upstream?.terminate();
    });
  }

  /** Sends why, and ends. */
  end(error: GodwitError): void {
    const { socket } = this.#options;
    if (this.#closed.signal.aborted) return;
    this.#send({ type: "ended", problem: error.problem });
    socket.resume();
    socket.close(1000);
    this.#closed.abort();
    this.#upstream?.terminate();
  }

  /** Resolves when the session has ended. */
  async run(): Promise<void> {
    const { socket, log } = this.#options;
    socket.pause();
    socket.on("message", (data, isBinary) => {
      if (isBinary && this.#upstream !== null)
        forward({ data, binary: true }, socket, this.#upstream, highWaterBytes);
    });
    try {
      await this.#follow();
    } catch (error) {
      if (!GodwitError.is(error)) log.error({ err: error }, "a console ended by a bug");
      this.end(GodwitError.is(error) ? error : this.#lost("Godwit itself failed", this.#options.vm.host));
    }
  }

  async #follow(): Promise<void> {
    let { host } = this.#options.vm;
    let connectedAt = performance.now();
    let isReported = false;
    while (!this.#closed.signal.aborted) {
      const { vm, taskId } = await this.#locate();
      const failure = await this.#attach(vm).then(
        () => null,
        (error: unknown) => error,
      );
      const now = performance.now();
      if (failure === null) {
        host = vm.host;
        isReported = false;
        const wasShort = now - connectedAt < lookAgainMs;
        connectedAt = now;
        if (!wasShort) continue;
      } else {
        if (!GodwitError.is(failure)) throw failure;
        if (now - connectedAt > reconnectLimitMs)
          throw this.#lost(failure.message.replace(/\.$/, ""), vm.host);
        if (!isReported && now - connectedAt > reportAfterMs) {
          isReported = true;
          this.#send({ type: "waiting", host });
        }
      }
      await this.#nextChange(vm.id, taskId);
    }
  }

  /** Where the VM is now. @throws VM_NOT_RUNNING when it has stopped for good; VM_UNKNOWN */
  async #locate(): Promise<{ vm: VmView; taskId: string | undefined }> {
    const { store, vm: asked } = this.#options;
    const vm = await store.vms.show(asked.id);
    const task = (await store.tasks.unfinished()).find(({ subject }) => subject.id === vm.id);
    const mayBeMoving = task?.kind === "vm.migrate";
    if (!hasProcess(vm) && !mayBeMoving)
      throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: vm.state });
    return { vm, taskId: task?.id };
  }

  /** A connection to the agent, for as long as it lasts. @throws CONNECTION_FAILED, VM_NOT_RUNNING when there is none */
  async #attach(vm: VmView): Promise<void> {
    const { socket, query, hosts } = this.#options;
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
        this.#takeMessage(data);
        return;
      }
      if (this.#position !== null) this.#position.at += (data as Buffer).length;
      forward({ data, binary: true }, upstream, socket, highWaterBytes);
    });
    if (this.#closed.signal.aborted) upstream.terminate();
    this.#upstream = upstream;
    upstream.resume();
    socket.resume();
    await ended;
    this.#upstream = null;
    socket.pause();
  }

  #takeMessage(data: RawData): void {
    const message = readConsoleMessage((data as Buffer).toString("utf8"));
    // Of an agent of another version, or of a host that is not what it was: no reason to end anything.
    if (message?.type !== "attached") return;
    this.#position = { process: message.process ?? "", at: message.at ?? 0 };
    this.#send({ type: "attached", host: message.host });
  }

  #send(message: ConsoleMessage): void {
    this.#options.socket.send(JSON.stringify(message), () => undefined);
  }

  #lost(reason: string, host: string): GodwitError {
    return GodwitError.of("CONSOLE_LOST", { vm: this.#options.vm.name, host, reason });
  }

  /** The VM or its task changes, or some time has passed. */
  async #nextChange(vmId: string, taskId: string | undefined): Promise<void> {
    const { events } = this.#options.store;
    const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(lookAgainMs)]);
    for await (const { subject } of await events.follow(signal)) {
      if (subject.id === vmId || subject.id === taskId) return;
    }
  }
}
