/** A move that is held where a phase begins, so that something can be done to it there. */
import { isEnded, type Task } from "@godwit/contract";
import { until } from "@godwit/system";
import type { Server } from "../src/server.ts";
import { holdFolder, mostAttempts, type Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

const limitMs = 600_000;

export interface HeldMove {
  id: Task["id"];
  /** Lets it go on. */
  release: () => Promise<void>;
}

/**
 * Starts moves until one reaches the phase: an emulated server on a busy machine now and then does not prepare in time, and
 * such a move is undone. @throws Error when none does
 */
export async function heldMove(
  site: Site,
  vm: StoryVm,
  { source, body, phase }: { source: Server; body: object & { to: string }; phase: string },
): Promise<HeldMove> {
  const hold = `${holdFolder}/${phase}`;
  for (let attempts = 1; ; attempts++) {
    await source.shell(`mkdir -p ${holdFolder}; rm -f ${hold}.reached; touch ${hold}.hold`);
    const params = { vm: vm.name };
    const { id } = await site.whenReady(() => site.api.call("vmMigrate", { params, body }));
    const found = await reached(site, source, `${hold}.reached`, id);
    if (found === "reached") {
      const release = async () => {
        await source.shell(`rm -f ${hold}.hold`);
      };
      return { id, release };
    }
    await source.shell(`rm -f ${hold}.hold`);
    if (attempts === mostAttempts) throw new Error(`no move came to ${phase}: ${found}`);
    await site.connected();
  }
}

/** @returns why it was not reached, or that it was */
async function reached(site: Site, source: Server, file: string, id: Task["id"]): Promise<string> {
  const look = async () => {
    if ((await source.try("test", "-e", file)).exitCode === 0) return "reached";
    const task = await site.api.call("taskShow", { params: { task: id } });
    return isEnded(task) ? `the move ended before: ${task.error?.detail ?? task.state}` : null;
  };
  // Nothing outside of the source is told of it.
  return (await until(look, { everyMs: 500, limitMs })) ?? "it was not reached in time";
}
