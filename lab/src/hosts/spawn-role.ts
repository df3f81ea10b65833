/**
 * Starts a program of the lab in its namespaces, detached, so that it outlives whoever started it. The
 * program says on a pipe when it is ready; one that ends before that is reported with its last words.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { GodwitError } from "@godwit/contract";
import { identifyProcess, run, within, type ProcessIdentity } from "@godwit/system";

const enter = fileURLToPath(new URL("enter.sh", import.meta.url));
const readyLimitMs = 120_000;
/** Where the program finds the pipe on which to say that it is ready. */
const readyFd = 4;

export interface RoleSpec {
  /** In words: "the agent of host a". */
  what: string;
  namespace: string;
  hostname: string;
  /** The host's folder, with `run` and `state` in it. */
  folder: string;
  /** A folder that the host sees as its shared storage. */
  shared?: string;
  /** Whether it sees that ordinary users may not handle page faults, whatever the machine's setting is. */
  forbidsUserfaultfd?: boolean;
  log: string;
  argv: readonly string[];
  /** Inherited as file descriptor 3. */
  socketFd?: number;
  environment?: Readonly<Record<string, string>>;
}

/** A host's view of the machine. */
export type HostView = Omit<RoleSpec, "what" | "log" | "socketFd" | "environment">;

/** The arguments of `ip` that run a program as it would run on the lab host. */
const enterArguments = ({
  namespace,
  hostname,
  folder,
  shared = "",
  forbidsUserfaultfd = false,
  argv,
}: HostView): string[] => [
  ...["netns", "exec", namespace, "unshare", "--mount", "--uts", "--"],
  ...["sh", enter, hostname, folder, shared, forbidsUserfaultfd ? "0" : "", "--"],
  ...argv,
];

/** Runs a program on a lab host to its end. @throws PROGRAM_FAILED */
export async function runOnHost(view: HostView, what: string): Promise<string> {
  await prepareFolders(view.folder);
  return (await run("ip", enterArguments(view), { what, timeoutMs: 120_000 })).stdout;
}

/** @throws PROGRAM_FAILED with the program's last words */
export async function spawnRole(spec: RoleSpec): Promise<ProcessIdentity> {
  await prepareFolders(spec.folder);
  const log = await open(spec.log, "a");
  try {
    const child = spawn("ip", enterArguments(spec), {
      detached: true,
      cwd: "/",
      stdio: ["ignore", log.fd, log.fd, spec.socketFd ?? "ignore", "pipe"],
      env: { ...process.env, ...spec.environment, GODWIT_READY_FD: String(readyFd) },
    });
    await once(child, "spawn");
    const ready = child.stdio[readyFd] as Readable;
    const said = Promise.race([
      once(ready, "data").then(() => "ready" as const),
      once(child, "exit").then(() => "ended" as const),
    ]);
    const outcome = (await within(said, readyLimitMs)) ?? "late";
    ready.destroy();
    child.unref();
    const identity = child.pid === undefined ? null : await identifyProcess(child.pid);
    if (outcome === "ready" && identity !== null) return identity;
    if (outcome === "late") child.kill("SIGKILL");
    const words = (await readFile(spec.log, "utf8")).trim().split("\n").slice(-4).join(" / ").slice(-800);
    const output = outcome === "late" ? `it was not ready in time: ${words}` : words;
    throw GodwitError.of("PROGRAM_FAILED", { program: "godwit", what: `starting ${spec.what}`, output });
  } finally {
    await log.close();
  }
}

async function prepareFolders(folder: string): Promise<void> {
  await mkdir(join(folder, "run"), { recursive: true });
  await mkdir(join(folder, "state/shared"), { recursive: true });
  // The place that the host's own folder is mounted on, in its own mount namespace.
  await mkdir("/var/lib/godwit", { recursive: true });
}
