/**
 * The one door to other programs: an argument vector (never a shell string), a time limit, bounded
 * output, and a typed error that says what the program was doing.
 */
import { GodwitError } from "@godwit/contract/errors";

export interface RunOptions {
  /** What the program is run for, in words: "creating tap gw0". Appears in the error. */
  what: string;
  /** Default 30 000. */
  timeoutMs?: number;
  input?: string;
  env?: Record<string, string>;
  cwd?: string;
  signal?: AbortSignal;
  /** What it is ended with when that is asked for, or its time is over. Default `SIGTERM`, and `SIGKILL` after 5 s. */
  killSignal?: "SIGKILL";
  /** Exit codes that are not failures. Default `[0]`. */
  okCodes?: readonly number[];
}

export interface RunResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

/** Debian packages of the programs that Godwit calls: what to install when one is missing. */
const packageOf: Record<string, string> = {
  "qemu-system-x86_64": "qemu-system-x86",
  "qemu-img": "qemu-utils",
  "qemu-io": "qemu-utils",
  "qemu-nbd": "qemu-utils",
  ip: "iproute2",
  bridge: "iproute2",
  tc: "iproute2",
  nft: "nftables",
  ping: "iputils-ping",
  "mkfs.ext4": "e2fsprogs",
  setpriv: "util-linux",
  unshare: "util-linux",
  fallocate: "util-linux",
  mount: "mount",
  umount: "mount",
  lvm: "lvm2",
  sg_persist: "sg3-utils",
  dmsetup: "dmsetup",
  blkdiscard: "util-linux",
  wipefs: "util-linux",
  "mount.nfs": "nfs-common",
  initdb: "postgresql",
  postgres: "postgresql",
  smartctl: "smartmontools",
  sanlock: "sanlock",
  cpio: "cpio",
  busybox: "busybox-static",
};

/** What this process lacked when it could not start one: nothing is known of the program. */
const lacks: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "EAGAIN", "ENOMEM"]);

/**
 * Runs a program to its end.
 * @throws PROGRAM_MISSING when it is not installed, PROGRAM_FAILED when it ends with another code or not in time,
 *   PROGRAM_NOT_STARTED when this process lacked what it takes to start one
 */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  // Only when something is run: it is a large library, and most commands of the CLI run nothing.
  const { execa } = await import("execa");
  const result = await execa(program, args, {
    reject: false,
    stripFinalNewline: true,
    maxBuffer: 64 * 1024 * 1024,
    timeout: options.timeoutMs ?? 30_000,
    ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.killSignal === undefined ? {} : { killSignal: options.killSignal }),
  });
  options.signal?.throwIfAborted();
  const name = program.split("/").at(-1) ?? program;
  if (result.code === "ENOENT") {
    throw GodwitError.of("PROGRAM_MISSING", { program: name, package: packageOf[name] ?? name });
  }
  if (result.exitCode === undefined && lacks.has(result.code ?? "")) {
    const reason = String(result.code);
    throw GodwitError.of("PROGRAM_NOT_STARTED", { program: name, what: options.what, reason });
  }
  if (
    result.timedOut ||
    result.exitCode === undefined ||
    !(options.okCodes ?? [0]).includes(result.exitCode)
  ) {
    const words = result.timedOut
      ? "it did not end in time"
      : result.stderr || result.stdout || result.shortMessage || "no message";
    throw GodwitError.of("PROGRAM_FAILED", {
      program: name,
      what: options.what,
      output: words.trim().split("\n").slice(-4).join(" / ").slice(0, 600),
    });
  }
  return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode };
}
