/** `godwit pool set` */
import type {
  Automation,
  ConsolidationPolicy,
  GuestResetPolicy,
  HealthPolicy,
  PlanGoal,
} from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand, numberParser } from "@stricli/core";
import { withApi, type Api } from "../../connection.ts";
import type { PoolSettings } from "../../output/balance-view.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, poolArgument, wordsOf, type JsonFlags } from "../common.ts";

interface Flags extends JsonFlags {
  automation?: Automation;
  threshold?: "1" | "2" | "3" | "4" | "5";
  goal?: PlanGoal;
  restart?: "on" | "off";
  health?: HealthPolicy;
  admission?: "on" | "off";
  guestReset?: "on" | "off";
  guestSilence?: number;
  guestGrace?: number;
  guestResets?: number;
  consolidate?: "on" | "off";
  minHosts?: number;
  target?: number;
  stable?: number;
}

const seconds = (brief: string) =>
  ({ kind: "parsed", parse: numberParser, brief, optional: true, placeholder: "seconds" }) as const;

export const setCommand = buildCommand({
  docs: {
    brief:
      "Set what a pool does by itself: balance, restart VMs, reset hanging guests, leave unhealthy hosts, keep room for a failure, save power",
    fullDescription: `off: nothing is planned. manual: moves are recommended every minute. partial: and VMs start where the planner places them.
full: and the moves are made. --restart on: VMs of a host that died, and VMs whose process died, are started again on a
host that has room, once their leases prove that they do not run. --guest-reset on: a VM is reset whose guest agent has answered before, and
now has not for a minute (--guest-silence) in which the guest neither used a disk nor sent a packet. --health quarantine: hosts that are not well take no VM that the pool places;
evacuate: and those that may fail at any time are emptied; ask: neither. --admission on: a VM starts only where the pool then still bears
the loss of any one host. --consolidate on: while the load fits on fewer hosts with headroom, and they bear the loss of any one, the least used host
whose power the server controls is emptied and powered off, and is woken as soon as the pool needs it; with automation full this is done, else
godwit pool explain POOL says what would be. What is not named stays as it is.

Examples:
  godwit pool set east --automation manual
  godwit pool set east --automation full --threshold 4 --goal even
  godwit pool set east --restart on
  godwit pool set east --guest-reset on --guest-silence 120
  godwit pool set east --health evacuate
  godwit pool set east --admission on
  godwit pool set east --consolidate on --min-hosts 3`,
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
      guestReset: {
        kind: "enum",
        values: ["on", "off"],
        brief: "Whether VMs are reset whose guests hang",
        optional: true,
      },
      guestSilence: seconds("So long a guest gives no sign before it is reset, 10 to 3600 (default: 60)"),
      guestGrace: seconds("So long a guest is left alone after its start, move or reset (default: 120)"),
      guestResets: {
        kind: "parsed",
        parse: numberParser,
        brief: "Resets of one VM within an hour at most, 1 to 20 (default: 3)",
        optional: true,
        placeholder: "number",
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
      consolidate: {
        kind: "enum",
        values: ["on", "off"],
        brief: "Whether hosts are powered off while the load fits on fewer",
        optional: true,
      },
      minHosts: {
        kind: "parsed",
        parse: numberParser,
        brief: "So many hosts stay on (default: 2)",
        optional: true,
        placeholder: "number",
      },
      target: {
        kind: "parsed",
        parse: numberParser,
        brief: "How much of their cores and memory the remaining hosts use at most, 10 to 80 (default: 63)",
        optional: true,
        placeholder: "percent",
      },
      stable: seconds("So long the load must have fitted, 30 to 86400 (default: 1800)"),
    },
    positional: poolArgument,
  },
  async func(flags: Flags, pool: string) {
    const changes = changesOf(flags, pool);
    if (changes.length === 0)
      throw GodwitError.of("USAGE", {
        what: "Nothing is to be set.",
        hint: "Name --automation, --threshold, --goal, --restart, --guest-reset, --health, --admission or --consolidate.",
      });
    const set = await withApi(async (api) => {
      let all: PoolSettings = {};
      for (const change of changes) all = { ...all, ...(await change(api)) };
      return all;
    });
    if (flags.json) {
      writeJson(set);
      return;
    }
    const { settingTexts } = await import("../../output/balance-view.ts");
    writeLine(`Pool ${pool}: ${settingTexts(set).join("; ")}.`);
  },
});

type Change = (api: Api) => Promise<PoolSettings>;

/** What is to be set, one call each; the answer is what was set. @throws USAGE */
function changesOf(flags: Flags, pool: string): Change[] {
  const { automation, threshold, goal, restart, health, admission } = flags;
  const params = { pool };
  const changes: Change[] = [];
  const put = (change: Change) => {
    changes.push(change);
  };
  if (restart !== undefined)
    put(async (api) => {
      await api.call("poolRestartSet", { params, body: { enabled: restart === "on" } });
      return { restart };
    });
  const policy = guestResetOf(flags);
  if (policy !== undefined)
    put(async (api) => {
      await api.call("poolGuestResetSet", { params, body: { policy } });
      return { guestReset: policy };
    });
  if (health !== undefined)
    put(async (api) => {
      await api.call("poolHealthSet", { params, body: { policy: health } });
      return { health };
    });
  if (admission !== undefined)
    put(async (api) => {
      await api.call("poolAdmissionSet", { params, body: { enabled: admission === "on" } });
      return { admission };
    });
  const consolidation = consolidationOf(flags);
  if (consolidation !== undefined)
    put(async (api) => {
      await api.call("poolConsolidationSet", { params, body: { policy: consolidation } });
      return { consolidation };
    });
  const body = {
    ...(automation === undefined ? {} : { automation }),
    ...(threshold === undefined ? {} : { threshold: Number(threshold) }),
    ...(goal === undefined ? {} : { goal }),
  };
  if (Object.keys(body).length > 0) put((api) => api.call("poolBalanceSet", { params, body }));
  return changes;
}

/** Undefined: it stays as it is. @throws USAGE */
function consolidationOf(flags: Flags): ConsolidationPolicy | null | undefined {
  const { consolidate, minHosts, target, stable } = flags;
  if (consolidate === "off") return null;
  if (consolidate === "on")
    return { minHosts: minHosts ?? 2, targetPercent: target ?? 63, stableSeconds: stable ?? 1800 };
  if ([minHosts, target, stable].every((one) => one === undefined)) return undefined;
  throw GodwitError.of("USAGE", {
    what: "--min-hosts, --target and --stable say when hosts are powered off.",
    hint: "Name --consolidate on with them.",
  });
}

/** Undefined: it stays as it is. @throws USAGE */
function guestResetOf(flags: Flags): GuestResetPolicy | null | undefined {
  const { guestReset, guestSilence, guestGrace, guestResets } = flags;
  if (guestReset === "off") return null;
  if (guestReset === "on")
    return {
      silenceSeconds: guestSilence ?? 60,
      graceSeconds: guestGrace ?? 120,
      mostResets: guestResets ?? 3,
    };
  if ([guestSilence, guestGrace, guestResets].every((one) => one === undefined)) return undefined;
  throw GodwitError.of("USAGE", {
    what: "--guest-silence, --guest-grace and --guest-resets say when hanging guests are reset.",
    hint: "Name --guest-reset on with them.",
  });
}
