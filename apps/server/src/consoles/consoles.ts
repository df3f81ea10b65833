/** Who has which VM's serial console: one may type, any number may look. */
import { hasProcess, GodwitError, type consoleQuerySchema, type VmView } from "@godwit/contract";
import type { SocketHandler } from "@godwit/http";
import type { Store } from "@godwit/store";
import type { Logger } from "pino";
import type { z } from "zod";
import type { HostLinks } from "../hosts/host-links.ts";
import { ConsoleSession } from "./console-session.ts";

export class Consoles {
  readonly #store: Store;
  readonly #hosts: HostLinks;
  readonly #log: Logger;
  readonly #writers = new Map<string, { user: string; since: string; session: ConsoleSession }>();

  constructor(store: Store, hosts: HostLinks, log: Logger) {
    this.#store = store;
    this.#hosts = hosts;
    this.#log = log;
  }

  /** @throws VM_NOT_RUNNING, CONSOLE_IN_USE */
  open(vm: VmView, query: z.output<typeof consoleQuerySchema>): SocketHandler {
    if (!hasProcess(vm)) throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: vm.state });
    const refusal = query.readOnly || query.force ? null : this.#inUse(vm);
    if (refusal !== null) throw refusal;
    return (socket) => {
      const session = new ConsoleSession({
        vm,
        socket,
        query,
        store: this.#store,
        hosts: this.#hosts,
        log: this.#log,
      });
      if (!query.readOnly) {
        // Between the question above and this moment someone else may have come.
        const late = query.force ? null : this.#inUse(vm);
        if (late !== null) {
          session.end(late);
          return;
        }
        this.#claim(vm, query.user, session);
      }
      void session.run().finally(() => {
        this.#release(vm, session);
      });
    };
  }

  #inUse(vm: VmView): GodwitError | null {
    const writer = this.#writers.get(vm.id);
    if (writer === undefined) return null;
    return GodwitError.of("CONSOLE_IN_USE", { vm: vm.name, by: writer.user, since: writer.since });
  }

  #claim(vm: VmView, user: string, session: ConsoleSession): void {
    const before = this.#writers.get(vm.id);
    this.#writers.set(vm.id, { user, since: new Date().toISOString(), session });
    before?.session.end(GodwitError.of("CONSOLE_TAKEN_OVER", { vm: vm.name, by: user }));
    this.#emit(vm, "vm.consoleOpened", user);
  }

  #release(vm: VmView, session: ConsoleSession): void {
    const writer = this.#writers.get(vm.id);
    if (writer?.session !== session) return;
    this.#writers.delete(vm.id);
    this.#emit(vm, "vm.consoleClosed", writer.user);
  }

  #emit(vm: VmView, type: "vm.consoleOpened" | "vm.consoleClosed", user: string): void {
    this.#store.events
      .append({ type, subject: { kind: "vm", id: vm.id }, data: { name: vm.name, user } })
      .catch((error: unknown) => {
        this.#log.warn({ err: error }, "an event of a console was not written");
      });
  }
}
