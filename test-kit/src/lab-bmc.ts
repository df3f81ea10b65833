/** A BMC of a lab's host, where the lab's server or that host's agent reaches it: it powers the host off and on as a real one does. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Lab } from "@godwit/lab";
import type { FromBmc, ToBmc } from "./bmc-program.ts";

type LabHost = ReturnType<Lab["host"]>;
export const bmcPassword = "s3cret";

export class LabBmc implements AsyncDisposable {
  readonly url: string;
  readonly fingerprint: string;
  /** Types of reset that it was asked for. */
  readonly resets: string[] = [];
  /** Whether it does what it is asked. */
  works = true;
  readonly #child: ChildProcess;
  readonly #host: LabHost | null;
  #doing: Promise<void> = Promise.resolve();

  private constructor(child: ChildProcess, at: { url: string; fingerprint: string }, host: LabHost | null) {
    this.#child = child;
    this.#host = host;
    this.url = at.url;
    this.fingerprint = at.fingerprint;
    child.on("message", (message: FromBmc) => {
      if ("reset" in message) this.#asked(message.reset);
    });
  }

  /** @param namespace of whoever asks it @param host whose power it controls; null: it only tells */
  static async start(namespace: string, host: LabHost | null): Promise<LabBmc> {
    const program = fileURLToPath(new URL("bmc-program.ts", import.meta.url));
    const child = spawn("ip", ["netns", "exec", namespace, process.execPath, program], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const [first] = (await once(child, "message")) as [FromBmc];
    if ("reset" in first) throw new Error("the BMC was asked before it told where it is");
    return new LabBmc(child, first, host);
  }

  /** What it tells at a path from now on. */
  set(path: string, resource: unknown): void {
    this.#tell({ path, resource });
  }

  /** The host has gone down, or was switched on by hand. */
  async power(state: "On" | "Off"): Promise<void> {
    if (state === "Off") await this.#host?.cutPower();
    this.#tell({ powered: state });
    if (state === "On") await this.#host?.powerOn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#doing.catch(() => undefined);
    // One in the namespace of a host has ended with the host's power.
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  #asked(type: string): void {
    this.resets.push(type);
    if (this.works) this.#doing = this.#doing.then(() => this.power(type === "On" ? "On" : "Off"));
  }

  #tell(message: ToBmc): void {
    this.#child.send(message);
  }
}
