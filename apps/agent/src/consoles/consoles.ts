/**
 * The serial consoles of this host's VMs, for the server. Output comes from QEMU's log; what is typed goes
 * to QEMU's socket, which takes one writer: the server decides who that is, so whoever comes last has it.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { GodwitError, type AgentConsoleQuery, type ConsoleMessage, type VmId } from "@godwit/contract";
import type { SocketHandler } from "@godwit/http";
import type { QemuProcess } from "@godwit/hypervisor";
import type { Logger } from "pino";
import type { WebSocket } from "ws";
import type { Processes } from "../qemu/processes.ts";
import { SerialOutput } from "./serial-output.ts";

/** Of another process's output so much is given at most. */
const catchUpBytes = 1024 * 1024;

export class Consoles {
  readonly #host: string;
  readonly #processes: Processes;
  readonly #log: Logger;
  readonly #writers = new Map<VmId, WebSocket>();

  constructor(host: string, processes: Processes, log: Logger) {
    this.#host = host;
    this.#processes = processes;
    this.#log = log;
  }

  /** @throws VM_NOT_RUNNING */
  open(vmId: VmId, query: AgentConsoleQuery): SocketHandler {
    const process = this.#processes.of(vmId);
    if (process === undefined)
      throw GodwitError.of("VM_NOT_RUNNING", { vm: vmId, state: "not on this host" });
    return (line) => {
      // Nothing is read before it is known where to put it.
      line.pause();
      this.#serve(line, process, query).catch((error: unknown) => {
        this.#log.info({ err: error, vm: process.spec.vm.name }, "a console broke off");
        line.terminate();
      });
    };
  }

  async #serve(line: WebSocket, process: QemuProcess, query: AgentConsoleQuery): Promise<void> {
    const { paths, startedAt, vmId } = process;
    await using output = await SerialOutput.open(paths.serialLog, (size) => {
      if (query.process === undefined) return size - query.tailBytes;
      return query.process === startedAt ? (query.at ?? size) : size - catchUpBytes;
    });
    line.once("close", () => {
      output.end();
    });
    void process.ended.then(() => {
      output.end();
    });
    const input = query.readOnly ? null : await this.#connectInput(line, process);
    try {
      line.resume();
      say(line, { type: "attached", host: this.#host, process: startedAt, at: output.at });
      for await (const piece of output.pieces()) {
        if (line.readyState !== line.OPEN) return;
        await sent(line, piece);
      }
      line.close(1000);
    } finally {
      input?.destroy();
      if (this.#writers.get(vmId) === line) this.#writers.delete(vmId);
    }
  }

  /** QEMU's socket, which a writer before this one gives up. */
  async #connectInput(line: WebSocket, process: QemuProcess): Promise<Socket> {
    this.#writers.get(process.vmId)?.terminate();
    this.#writers.set(process.vmId, line);
    const input = connect(process.paths.serialSocket);
    await once(input, "connect");
    input.on("error", () => undefined);
    // The same bytes come from the log.
    input.resume();
    line.on("message", (data, isBinary) => {
      if (!isBinary || input.write(data as Buffer)) return;
      // The guest does not read: neither does this, nor whoever sends.
      line.pause();
      input.once("drain", () => {
        line.resume();
      });
    });
    return input;
  }
}

const say = (line: WebSocket, message: ConsoleMessage): void => {
  line.send(JSON.stringify(message));
};

/** Resolves when the line has taken the bytes. */
async function sent(line: WebSocket, bytes: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  line.send(bytes, () => {
    resolve(undefined);
  });
  await promise;
}
