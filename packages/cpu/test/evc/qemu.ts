/** A QEMU that is only asked what its CPU models are. No guest runs in it. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { inject } from "vitest";

import { features } from "../../src/index.ts";

/**
 * The feature set that a guest with this CPU sees: names of the feature table, sorted.
 * @param props of `query-cpu-model-expansion`, type `full`, for the VM's model with its additions and removals
 */
export const effectiveFeatures = (props: Readonly<Record<string, unknown>>): string[] =>
  features
    .filter(({ name, runtime }) => !runtime && props[name] === true)
    .map(({ name }) => name)
    .sort();

/** Those of this machine. */
export const qemuBinaries: readonly string[] = inject("qemuBinaries");

export class Qemu implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string, undefined>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) throw new TypeError("QEMU has no output");
    this.#answers = createInterface(child.stdout)[Symbol.asyncIterator]();
    // A QEMU that has ended cannot be written to (EPIPE): `ask` tells of its end, by the end of its output.
    child.stdin?.on("error", () => undefined);
  }

  /** @throws where QEMU refuses to start with these arguments */
  static async start(binary: string, args: readonly string[] = ["-machine", "none"]): Promise<Qemu> {
    const child = spawn(
      binary,
      ["-no-user-config", "-nodefaults", "-display", "none", "-S", ...args, "-qmp", "stdio"],
      { stdio: ["pipe", "pipe", "ignore"] },
    );
    const qemu = new Qemu(child);
    if ((await qemu.#answers.next()).done === true) throw new Error("QEMU did not start");
    await qemu.ask("qmp_capabilities");
    return qemu;
  }

  get answers(): boolean {
    return this.#child.exitCode === null;
  }

  async ask(command: string, parameters: object = {}): Promise<unknown> {
    this.#child.stdin?.write(`${JSON.stringify({ execute: command, arguments: parameters })}\n`);
    for (;;) {
      const { value, done } = await this.#answers.next();
      if (done === true) throw new Error(`QEMU ended while it was asked for ${command}`);
      const answer = JSON.parse(value) as { return?: unknown; error?: { desc: string } };
      if (answer.error !== undefined) throw new Error(answer.error.desc);
      if (answer.return !== undefined) return answer.return;
    }
  }

  /** Like `[7, 2]`. */
  async version(): Promise<[number, number]> {
    const { qemu } = (await this.ask("query-version")) as { qemu: { major: number; minor: number } };
    return [qemu.major, qemu.minor];
  }

  /** What a model shows with these additions and removals. */
  async props(
    model: string,
    add: readonly string[],
    remove: readonly string[],
  ): Promise<Record<string, unknown>> {
    const props = Object.fromEntries([
      ...add.map((name) => [name, true] as const),
      ...remove.map((name) => [name, false] as const),
    ]);
    const answer = await this.ask("query-cpu-model-expansion", {
      type: "full",
      model: { name: model, props },
    });
    return (answer as { model: { props: Record<string, unknown> } }).model.props;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }
}
