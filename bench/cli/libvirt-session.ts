/**
 * virsh with a daemon to talk to: libvirtd in its session mode, as an unprivileged user and in folders of its own, so
 * that nothing of the machine's libvirt is used. Where only virsh is installed it talks to libvirt's built-in test driver.
 */
import { access, chown, mkdir, watch } from "node:fs/promises";
import { join } from "node:path";
import { userIds } from "@godwit/system";
import { Daemon } from "./daemon.ts";

const user = "godwit-qemu";

interface VirshCommand {
  readonly name: string;
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export class LibvirtSession implements AsyncDisposable {
  readonly commands: readonly VirshCommand[];
  readonly #daemon: Daemon | null;

  private constructor(commands: readonly VirshCommand[], daemon: Daemon | null) {
    this.commands = [{ name: "virsh --version", words: ["virsh", "--version"] }, ...commands];
    this.#daemon = daemon;
  }

  /** null: there is no virsh on this machine. */
  static async start(folder: string): Promise<LibvirtSession | null> {
    if (!(await isThere("/usr/bin/virsh"))) return null;
    if (!(await isThere("/usr/sbin/libvirtd"))) {
      const name = "virsh list (no daemon: test driver)";
      return new LibvirtSession([{ name, words: ["virsh", "-c", "test:///default", "list"] }], null);
    }
    const runtime = join(folder, "libvirt");
    const sockets = join(runtime, "libvirt");
    const { uid, gid } = await userIds(user);
    for (const path of [runtime, sockets]) {
      await mkdir(path);
      await chown(path, uid, gid);
    }
    const environment = { HOME: runtime, XDG_RUNTIME_DIR: runtime };
    const asUser = ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--"] as const;
    const daemon = await Daemon.start({
      argv: [...asUser, "libvirtd"],
      environment,
      ready: async (_, signal) => {
        for await (const { filename } of watch(sockets, { signal })) if (filename === "libvirt-sock") return;
      },
    });
    const words = [...asUser, "virsh", "-c", "qemu:///session", "list"];
    return new LibvirtSession([{ name: "virsh list", words, environment }], daemon);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
  }
}

const isThere = async (path: string): Promise<boolean> =>
  await access(path).then(
    () => true,
    () => false,
  );
