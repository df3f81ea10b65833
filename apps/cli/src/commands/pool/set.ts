/** `godwit pool set` */
import type { Automation, HealthPolicy, PlanGoal } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, poolArgument, wordsOf, type JsonFlags } from "../common.ts";

interface Flags extends JsonFlags {
  automation?: Automation;
  threshold?: "1" | "2" | "3" | "4" | "5";
  goal?: PlanGoal;
  restart?: "on" | "off";
  health?: HealthPolicy;
  admission?: "on" | "off";
}

export const setCommand = buildCommand({
  docs: {
    brief:
      "Set what a pool does by itself: balance, restart VMs, leave unhealthy hosts, keep room for a failure",
    fullDescription: `off: nothing is planned. manual: moves are recommended every minute. partial: and VMs start where the planner places them.
full: and the moves are made. --restart on: VMs of a host that died, and VMs whose process died, are started again on a
host that has room, once their leases prove that they do not run. --health quarantine: hosts that are not well take no VM that the pool places;
evacuate: and those that may fail at any time are emptied; ask: neither. --admission on: a VM starts only where the pool then still bears
the loss of any one host. What is not named stays as it is.

Examples:
  godwit pool set east --automation manual
  godwit pool set east --automation full --threshold 4 --goal even
  godwit pool set east --restart on
  godwit pool set east --health evacuate
  godwit pool set east --admission on`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      automation: {
        kind: "enum",
        values: wordsOf<Automation>({ off: true, manual: true, partial: true, full: true }),
        brief: "What is done without being asked",
        optional: true,
      },
      threshold: {
        kind: "enum",
        values: ["1", "2", "3", "4", "5"],
        brief: "From 1, only what rules demand, to 5, every gain",
        optional: true,
      },
      goal: {
        kind: "enum",
        values: ["happy", "even"],
        brief: "happy: move only where somebody gains; even: use hosts alike",
        optional: true,
      },
      restart: {
        kind: "enum",
        values: ["on", "off"],
        brief: "Whether VMs that died are started again",
        optional: true,
      },
      health: {
        kind: "enum",
        values: wordsOf<HealthPolicy>({ ask: true, quarantine: true, evacuate: true }),
        brief: "What is done about hosts that are not well",
        optional: true,
      },
      admission: {
        kind: "enum",
        values: ["on", "off"],
        brief: "Whether VMs start only where the pool then still bears the loss of any one host",
        optional: true,
      },
    },
    positional: poolArgument,
  },
  async func(flags: Flags, pool: string) {
    const { automation, threshold, goal, restart, health, admission } = flags;
    const body = {
      ...(automation === undefined ? {} : { automation }),
      ...(threshold === undefined ? {} : { threshold: Number(threshold) }),
      ...(goal === undefined ? {} : { goal }),
    };
    const hasBody = Object.keys(body).length > 0;
    if (!hasBody && restart === undefined && health === undefined && admission === undefined)
      throw GodwitError.of("USAGE", {
        what: "Nothing is to be set.",
        hint: "Name --automation, --threshold, --goal, --restart, --health or --admission.",
      });
    const params = { pool };
    const balance = await withApi(async (api) => {
      if (restart !== undefined)
        await api.call("poolRestartSet", { params, body: { enabled: restart === "on" } });
      if (health !== undefined) await api.call("poolHealthSet", { params, body: { policy: health } });
      if (admission !== undefined)
        await api.call("poolAdmissionSet", { params, body: { enabled: admission === "on" } });
      return hasBody ? await api.call("poolBalanceSet", { params, body }) : null;
    });
    if (flags.json) {
      writeJson({
        ...balance,
        ...(restart === undefined ? {} : { restart }),
        ...(health === undefined ? {} : { health }),
        ...(admission === undefined ? {} : { admission }),
      });
      return;
    }
    const { admissionText, balanceText, healthText, restartText } =
      await import("../../output/balance-view.ts");
    const parts = [
      ...(balance === null ? [] : [balanceText(balance)]),
      ...(restart === undefined ? [] : [restartText(restart === "on")]),
      ...(health === undefined ? [] : [healthText(health)]),
      ...(admission === undefined ? [] : [admissionText(admission === "on")]),
    ];
    writeLine(`Pool ${pool}: ${parts.join("; ")}.`);
  },
});
