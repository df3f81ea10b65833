/** A client's load on a VM of the lab: started, and ended with its report. */
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { GodwitError } from "@godwit/contract";
import { namespaceOf } from "../names.ts";
import { loadReportSchema, type LoadReport, type Window } from "./protocol.ts";
import { within } from "@godwit/system";

const client = fileURLToPath(new URL("client.ts", import.meta.url));
const firstWriteLimitMs = 300_000;

export class Load implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout });
  }

  /**
   * Resolves with the first acknowledged write. @throws PROGRAM_FAILED when none comes
   * @param probed without its ICMP probe, which costs an emulated guest much, a load measures no outage
   */
  static async start(labId: string, address: string, probed = true): Promise<Load> {
    return await Load.startIn(namespaceOf(labId, "client"), address, probed);
  }

  /** As `start`, from any namespace that reaches the guest. @param limitMs for the first write */
  static async startIn(
    namespace: string,
    address: string,
    probed: boolean,
    limitMs = firstWriteLimitMs,
  ): Promise<Load> {
    const words = [process.execPath, client, address, probed ? "probed" : "unprobed"];
    const child = spawn("ip", ["netns", "exec", namespace, ...words], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const load = new Load(child);
    const wrote = Promise.race([
      once(load.#lines, "line").then(() => true),
      once(child, "exit").then(() => false),
    ]);
    if ((await within(wrote, limitMs)) === true) return load;
    child.kill("SIGKILL");
    throw GodwitError.of("PROGRAM_FAILED", {
      program: "load",
      what: `writing to the VM at ${address}`,
      output: "the guest's database did not answer",
    });
  }

  /** The VM was started again: its client does not wait for an answer of the old one any more. */
  reconnect(): void {
    this.#child.stdin.write(`${JSON.stringify({ reconnect: true })}\n`);
  }

  /** Ends the load, reads everything back and compares. */
  async finish(windows: readonly Window[]): Promise<LoadReport> {
    const answer = once(this.#lines, "line");
    this.#child.stdin.write(`${JSON.stringify({ windows })}\n`);
    const line = await Promise.race([
      answer.then(([text]) => text as string),
      once(this.#child, "exit").then(() => null),
    ]);
    if (line === null) {
      throw GodwitError.of("PROGRAM_FAILED", {
        program: "load",
        what: "reading back",
        output: "it ended early",
      });
    }
    return loadReportSchema.parse(JSON.parse(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }
}
