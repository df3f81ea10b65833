/** Starts a program that outlives the agent and has none of its limits: a transient unit where systemd runs, else a session of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { run, systemdRuns } from "@godwit/system";

/** @throws PROGRAM_MISSING, PROGRAM_FAILED; Error where it cannot be started */
export async function startApart(unit: string, argv: readonly string[], what: string): Promise<void> {
  if (systemdRuns()) {
    const how = ["--collect", "--quiet", "--service-type=exec", `--description=Godwit: ${what}`];
    await run("systemd-run", [`--unit=${unit}`, ...how, "--", ...argv], { what });
    return;
  }
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { detached: true, stdio: "ignore", cwd: "/" });
  await once(child, "spawn");
  child.unref();
}
