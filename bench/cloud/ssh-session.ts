/**
 * One SSH connection into a guest that stays open: the guest writes numbered lines to its disk, synced, and says each on the connection. What was
 * said is what it has acknowledged.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { run, sleep } from "@godwit/system";

export interface SshTarget {
  /** Network namespace of the client. */
  namespace: string;
  address: string;
  /** File with the private key. */
  key: string;
}

const user = "debian";
const log = "/home/debian/log";
const writer = `i=0; while :; do i=$((i+1)); echo $i >>${log}; sync ${log}; echo $i; sleep 0.02; done`;

const argumentsOf = ({ namespace, address, key }: SshTarget, command: string): string[] => [
  ...["netns", "exec", namespace, "ssh", "-i", key, "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"],
  ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"],
  ...[`${user}@${address}`, command],
];

/** Runs a command in the guest. @returns what it printed. @throws PROGRAM_FAILED */
export async function inGuest(target: SshTarget, command: string): Promise<string> {
  const { stdout } = await run("ip", argumentsOf(target, command), {
    what: `running a command in ${target.address}`,
    timeoutMs: 60_000,
  });
  return stdout.trim();
}

/** Waits until a guest that boots lets its user log in. @throws Error when it does not within the limit */
export async function logsIn(target: SshTarget, limitMs: number): Promise<void> {
  const until = performance.now() + limitMs;
  for (;;) {
    try {
      await inGuest(target, "true");
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
    }
    await sleep(500);
  }
}

export class SshSession implements Disposable {
  readonly #target: SshTarget;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #said = 0;
  #lastAtMs = 0;
  #longestGapMs = 0;

  private constructor(target: SshTarget) {
    this.#target = target;
    this.#child = spawn("ip", argumentsOf(target, writer), { stdio: ["ignore", "pipe", "inherit"] });
    this.#ended = once(this.#child, "exit");
    const { stdout } = this.#child;
    if (stdout === null) throw new TypeError("ssh has no standard output");
    createInterface({ input: stdout }).on("line", (line) => {
      const now = performance.now();
      if (this.#said > 0) this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastAtMs);
      this.#said = Number(line);
      this.#lastAtMs = now;
    });
  }

  /** Resolves when the guest writes. */
  static async start(target: SshTarget): Promise<SshSession> {
    const session = new SshSession(target);
    while (session.#said === 0) await sleep(20);
    return session;
  }

  /** Reads back what is on the disk. @returns lines that were acknowledged and are not there, and whether the connection lived on all the time */
  async finish(): Promise<{ acknowledged: number; lost: number; longestGapMs: number; lives: boolean }> {
    const lives = this.#child.exitCode === null && performance.now() - this.#lastAtMs < 5000;
    const acknowledged = this.#said;
    const longestGapMs = this.#longestGapMs;
    this[Symbol.dispose]();
    await this.#ended;
    const numbers = new Set((await inGuest(this.#target, `cat ${log}`)).split("\n").map(Number));
    let lost = 0;
    for (let number = 1; number <= acknowledged; number++) if (!numbers.has(number)) lost += 1;
    return { acknowledged, lost, longestGapMs, lives };
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}
