/** Godwit as an operator uses it: nothing said but where to. */
import { moveOf, type MoveRecord, type VmView } from "@godwit/contract";
import { vmAddress } from "@godwit/lab";
import type { TestLab } from "@godwit/test-kit";
import { within } from "@godwit/system";
import type { Engine } from "./engine.ts";

/** @param limitMs after it a move is cancelled, and has not ended @param ceilingMbps of the copy; null: the link's */
export function godwitEngine(
  lab: TestLab,
  { name }: VmView,
  limitMs: number,
  ceilingMbps: number | null,
): Engine {
  const params = { vm: name };
  const ceiling = ceilingMbps === null ? {} : { bandwidthMbps: ceilingMbps };
  return {
    name: "godwit",
    address: vmAddress(0),
    move: async () => {
      const { host } = await lab.vm(name);
      const started = await lab.api.call("vmMigrate", {
        params,
        body: { to: host === "a" ? "b" : "a", ...ceiling },
      });
      const ending = lab.ended(started);
      if ((await within(ending, limitMs)) === null) {
        await lab.api.call("taskCancel", { params: { task: started.id } });
        await ending;
        throw new Error(`it had not ended after ${String(limitMs / 1000)} s`);
      }
      const task = await ending;
      if (task.state !== "succeeded") throw new Error(task.error?.detail ?? task.state);
      const move = moveOf(task);
      return { bytes: move?.bytes ?? null, note: move === null ? "" : courseOf(move) };
    },
    settled: () => Promise.resolve(),
    revive: async () => {
      await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
      await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
    },
  };
}

/** How long each phase took, and what was decided. */
function courseOf({ phases, rounds, decisions }: MoveRecord): string {
  const times = phases.slice(0, -1).map(({ phase, at }, index) => {
    const ms = Date.parse(phases[index + 1]?.at ?? at) - Date.parse(at);
    return `${phase} ${(ms / 1000).toFixed(2)} s`;
  });
  return `${times.join(", ")}; ${String(rounds)} rounds; ${decisions.map(({ text }) => text).join("; ")}`;
}
