/** A machine of the story: a Debian root with systemd as PID 1, in namespaces of its own. It ends with its owner. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { run, sleep, until, type RunResult } from "@godwit/system";

export interface MachineOptions {
  name: string;
  root: string;
  /** Everything that the machine writes. */
  folder: string;
  shared: string;
  packages: string;
}

export class Machine {
  readonly name: string;
  readonly #folder: string;
  readonly #cgroup: string;
  readonly #unshare: ChildProcess;
  readonly pid: number;

  private constructor(name: string, folder: string, cgroup: string, unshare: ChildProcess, pid: number) {
    this.name = name;
    this.#folder = folder;
    this.#cgroup = cgroup;
    this.#unshare = unshare;
    this.pid = pid;
  }

  /** @returns when systemd answers. @throws Error with what its console said */
  static async boot({ name, root, folder, shared, packages }: MachineOptions): Promise<Machine> {
    for (const part of ["upper", "work", "root"]) await mkdir(join(folder, part), { recursive: true });
    const cgroup = join(await cgroupRoot(), `godwit-story-${String(process.pid)}-${name}`);
    await mkdir(cgroup);
    const init = join(import.meta.dirname, "machine-init.sh");
    const namespaces = ["--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup"];
    const enter = ["-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', cgroup];
    const command = ["bash", init, name, root, folder, shared, packages];
    const unshare = spawn(
      "bash",
      [...enter, "unshare", ...namespaces, "--fork", "--kill-child", "--propagation", "private", ...command],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    // Neither unshare nor systemd tells anyone but a supervisor of its own when it is ready.
    const pid = await until(async () => await onlyChild(unshare.pid ?? 0), { everyMs: 50, limitMs: 20_000 });
    if (pid === null) throw new Error(`machine ${name} did not start`);
    const machine = new Machine(name, folder, cgroup, unshare, pid);
    // While it boots it clears /tmp, which apt unpacks to.
    const hasBooted = async () =>
      ["running", "degraded"].includes((await machine.try("systemctl", "is-system-running")).stdout.trim());
    if ((await until(hasBooted, { everyMs: 200, limitMs: 60_000 })) === null) {
      await machine[Symbol.asyncDispose]();
      throw new Error(`systemd of machine ${name} did not boot`);
    }
    return machine;
  }

  /** Runs a program on the machine. @returns what it printed. @throws Error with its last words */
  async run(...argv: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.try(...argv);
    if (exitCode === 0) return stdout;
    const words = `${stdout}\n${stderr}`.trim().split("\n").slice(-15).join("\n");
    throw new Error(`${this.#what(argv)} ended with ${String(exitCode)}:\n${words}`);
  }

  /** As `run`, for a program that may fail. */
  async try(...argv: readonly string[]): Promise<RunResult> {
    const okCodes = Array.from({ length: 256 }, (_, code) => code);
    return await run("nsenter", this.#entering(argv), {
      what: this.#what(argv),
      timeoutMs: 600_000,
      okCodes,
    });
  }

  /** Before the machine's programs read it. */
  async write(path: string, content: string): Promise<void> {
    await run("nsenter", this.#entering(["sh", "-c", 'mkdir -p "${0%/*}" && cat >"$0"', path]), {
      what: `writing ${path} on ${this.name}`,
      input: content,
    });
  }

  async read(path: string): Promise<string> {
    return await this.run("cat", path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unshare.kill("SIGKILL");
    if (this.#unshare.exitCode === null && this.#unshare.signalCode === null)
      await once(this.#unshare, "exit");
    // Its last processes leave the cgroup a moment after.
    for (let attempt = 0; attempt < 100; attempt++) {
      const gone = await removeCgroup(this.#cgroup).then(
        () => true,
        () => false,
      );
      if (gone) break;
      await sleep(100);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  #what(argv: readonly string[]): string {
    return `running ${argv.slice(0, 4).join(" ")} on ${this.name}`;
  }

  #entering(argv: readonly string[]): string[] {
    const clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"];
    const namespaces = ["-m", "-n", "-u", "-i", "-p", "-C"];
    return ["-t", String(this.pid), ...namespaces, ...clean, "DEBIAN_FRONTEND=noninteractive", ...argv];
  }
}

/** The process that unshare has started; null before. */
async function onlyChild(pid: number): Promise<number | null> {
  const children = await readFile(`/proc/${String(pid)}/task/${String(pid)}/children`, "utf8");
  const [first] = children.trim().split(" ").filter(Boolean);
  return first === undefined ? null : Number(first);
}

async function cgroupRoot(): Promise<string> {
  const mounts = await readFile("/proc/self/mounts", "utf8");
  const found = mounts.split("\n").find((line) => line.split(" ")[2] === "cgroup2");
  if (found === undefined) throw new Error("This computer has no cgroup2 file system mounted.");
  return found.split(" ")[1] ?? "";
}

/** With the cgroups in it, the lowest first. */
async function removeCgroup(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(join(folder, entry.name));
  }
  await rmdir(folder);
}
