/** A Godwit server of this checkout on a loopback port, with its own database, for the commands that talk to one. */
import { once } from "node:events";
import { chmod } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "@godwit/system";
import { Daemon } from "./daemon.ts";

const godwit = fileURLToPath(new URL("../../godwit", import.meta.url));
/** The descriptor on which it says that it is ready. */
const readyFd = 3;

export interface RunningServer extends AsyncDisposable {
  /** With which a command finds it. */
  readonly environment: Record<string, string>;
}

/** @throws NOT_ROOT, PROGRAM_FAILED */
export async function startServer(folder: string): Promise<RunningServer> {
  // The database's user must be able to reach its own folder.
  await chmod(folder, 0o755);
  const data = join(folder, "server");
  await run(godwit, ["server", "init", "--data", data], { what: "creating a server" });
  const port = await freePort();
  const daemon = await Daemon.start({
    argv: [godwit, "server", "run", "--data", data, "--listen", `127.0.0.1:${String(port)}`],
    environment: { GODWIT_READY_FD: String(readyFd), GODWIT_LOG_LEVEL: "warn" },
    ready: async ({ stdio }, signal) => {
      const ready = stdio[readyFd];
      if (ready !== null && ready !== undefined) await once(ready, "data", { signal });
    },
  });
  return {
    environment: {
      GODWIT_SERVER: `https://127.0.0.1:${String(port)}`,
      GODWIT_CA: join(data, "pki/ca-cert.pem"),
      GODWIT_TOKEN_FILE: join(data, "admin-token"),
    },
    [Symbol.asyncDispose]: async () => {
      await daemon[Symbol.asyncDispose]();
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port was found");
  return address.port;
}
