/** A virtual machine that starts from the image, seen from outside: its serial line, its keyboard, its end. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { sleep } from "@godwit/system";

export interface BootOptions {
  /** QEMU's name of a CPU model, with flags. */
  cpu: string;
  /** UEFI's code; by BIOS without it. */
  firmware?: string;
  /** As a USB stick instead of a CD. */
  stick?: boolean;
}

/**
 * Seen once in about a hundred starts, on a busy host: an emulated machine hangs before the image says a word, presumably
 * while its second CPU is woken. A machine that is silent for ten times as long as it needs is switched on again, and said so.
 */
const silentMs = 60_000;

/**
 * Linux's words when too few of the timer's interrupts came while it counted its own turns. An emulated processor that the host lets wait
 * takes its time, and misses them; no hardware does. Such a machine is switched on again too.
 */
const starved = "IO-APIC + timer doesn't work!";

export class BootedImage implements AsyncDisposable {
  readonly #image: string;
  readonly #options: BootOptions;
  #qemu: ChildProcess;
  #serial = "";

  constructor(image: string, options: BootOptions) {
    this.#image = image;
    this.#options = options;
    this.#qemu = this.#start();
  }

  #start(): ChildProcess {
    const { cpu, firmware, stick = false } = this.#options;
    const image = this.#image;
    const medium = stick
      ? [
          "-device",
          "qemu-xhci",
          "-device",
          "usb-storage,drive=stick",
          "-drive",
          `if=none,id=stick,format=raw,readonly=on,file=${image}`,
        ]
      : ["-cdrom", image];
    const qemu = spawn(
      "qemu-system-x86_64",
      [
        ...["-accel", "tcg", "-cpu", cpu, "-smp", "2", "-m", firmware === undefined ? "256" : "512"],
        ...(firmware === undefined
          ? []
          : ["-machine", "q35", "-drive", `if=pflash,format=raw,readonly=on,file=${firmware}`]),
        ...medium,
        ...["-nic", "none", "-display", "none", "-no-reboot"],
        ...["-chardev", "stdio,id=line,mux=on,signal=off", "-serial", "chardev:line", "-mon", "chardev=line"],
      ],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    qemu.stdout.on("data", (chunk: Buffer) => {
      this.#serial += chunk.toString("latin1");
    });
    return qemu;
  }

  /** What the serial line has said so far; line ends as in files. */
  get serial(): string {
    return this.#serial.replaceAll("\r", "");
  }

  /** Ends when the serial line has said something. @throws when the machine ends before, or says nothing in time */
  async says(words: string, timeoutMs: number): Promise<void> {
    const inTime = AbortSignal.timeout(timeoutMs);
    let startedAtMs = performance.now();
    while (!this.serial.includes(words)) {
      if (this.#qemu.exitCode !== null || inTime.aborted) {
        throw new Error(`the machine never said "${words}", but: ${this.serial.slice(-2000)}`);
      }
      const failure = this.#failureOfHost(startedAtMs);
      if (failure !== null) {
        console.warn(`the machine (${this.#options.cpu}) ${failure}; it is switched on again`);
        await this.#off();
        this.#serial = "";
        this.#qemu = this.#start();
        startedAtMs = performance.now();
      }
      // The line is read as it comes; what is awaited may span several reads.
      await sleep(100);
    }
  }

  /** What is wrong with how the machine is emulated, and not with the image; null: nothing. */
  #failureOfHost(startedAtMs: number): string | null {
    if (this.#serial.includes(starved)) return "was left without its timer's interrupts";
    const isHung = this.#serial === "" && performance.now() - startedAtMs > silentMs;
    return isHung ? "hung before it said a word" : null;
  }

  pressSerial(key: string): void {
    this.#qemu.stdin?.write(key);
  }

  /** On the machine's keyboard, by QEMU's monitor, which shares the line (Ctrl-A c leads to it). */
  pressKeyboard(key: string): void {
    this.#qemu.stdin?.write(`\u0001csendkey ${key}\n`);
  }

  /** Ends when the machine has ended by itself; with -no-reboot, a reboot is an end. */
  async rebooted(timeoutMs: number): Promise<void> {
    if (this.#qemu.exitCode === null)
      await once(this.#qemu, "exit", { signal: AbortSignal.timeout(timeoutMs) });
    if (this.#qemu.exitCode !== 0) throw new Error(`QEMU ended with ${String(this.#qemu.exitCode)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#off();
  }

  async #off(): Promise<void> {
    if (this.#qemu.exitCode !== null || this.#qemu.signalCode !== null) return;
    this.#qemu.kill("SIGKILL");
    await once(this.#qemu, "exit");
  }
}
