/** What the source's agent decided in a move, as data; the sentences for people follow from it. */
import { z } from "zod";

const decisions = [
  /** The guest is stopped: what is left fits the budget. */
  z.object({
    kind: z.literal("switch"),
    round: z.int(),
    remainingBytes: z.number(),
    expectedOutageMs: z.number(),
    maxOutageMs: z.number(),
    /**
     * Next to nothing is left, or another round would not leave less, or would take more time than it is worth (`fits`); the
     * guest works in bursts, or is held back, and is not waited for; or the time for the copy is over.
     */
    because: z.enum([
      "nearlyNothingLeft",
      "noLongerShrinking",
      "fits",
      "localMinimum",
      "throttled",
      "timeIsUp",
    ]),
  }),
  /** The guest is stopped, and goes on at the destination before all its memory is there. */
  z.object({
    kind: z.literal("postcopy"),
    round: z.int(),
    remainingBytes: z.number(),
    /**
     * Every page was sent once, or half of the only round that can be trusted is sent. Or it is the last resort: why
     * the copy would not end otherwise.
     */
    because: z.enum([
      "everythingSentOnce",
      "halfOfTheOnlyRound",
      "noLongerShrinking",
      "throttlingWouldNotHelp",
      "switchesBackedOut",
      "tooLong",
      "deadline",
    ]),
  }),
  /** The move goes on without its last resort: the destination's QEMU cannot receive a post-copy, for a reason in its words. */
  z.object({ kind: z.literal("postcopyLeftOut"), host: z.string(), reason: z.string() }),
  /** The guest is denied a share of its time, 0 to 1, so that the copy catches up. */
  z.object({
    kind: z.literal("throttle"),
    round: z.int(),
    remainingBytes: z.number(),
    throttle: z.number(),
    maxSlowdown: z.number(),
    dirtyBytesPerSecond: z.number(),
    bytesPerSecond: z.number(),
  }),
  /** The link is far slower than it was, which is not the guest's doing; a throttle is taken back. */
  z.object({
    kind: z.literal("linkSlow"),
    throttle: z.number(),
    bytesPerSecond: z.number(),
    usualBytesPerSecond: z.number(),
  }),
  /** Limits that are changed while the move goes on; absent: as before. `shared`: by the ceilings of its hosts. */
  z.object({
    kind: z.literal("limits"),
    /** Null: what the link gives. */
    bandwidthBytesPerSecond: z.number().nullable().optional(),
    maxOutageMs: z.number().optional(),
    because: z.enum(["asked", "shared"]),
  }),
  /** The switch was undone, since it would have taken longer than allowed; the guest runs on at the source. */
  z.object({ kind: z.literal("backedOut"), afterMs: z.number() }),
  z.object({ kind: z.literal("runsWhileMemoryArrives") }),
  z.object({ kind: z.literal("streamBroken") }),
  /** QEMU would not let the guest run again yet. */
  z.object({ kind: z.literal("resumeRefused"), reason: z.string() }),
  z.object({ kind: z.literal("agentRestarted") }),
  /** Of a version that kept sentences only. */
  z.object({ kind: z.literal("note"), text: z.string() }),
] as const;
const moveDecisionDataSchema = z.discriminatedUnion("kind", decisions);
/** What the source's agent decided or learned. */
export type MoveDecision = z.infer<typeof moveDecisionDataSchema>;

const mib = (bytes: number): string => `${String(Math.ceil(bytes / 2 ** 20))} MiB`;
const percent = (share: number): string => `${String(Math.round(share * 100))} %`;

const switchReasons = {
  nearlyNothingLeft: "",
  noLongerShrinking: " and no longer shrinking",
  fits: ", which fits the pause",
  localMinimum: ", the least of a guest that works in bursts",
  timeIsUp: ", and the time for the copy is over",
  throttled: " of a throttled guest",
} as const;

const lastResorts = {
  noLongerShrinking: "it no longer shrinks",
  throttlingWouldNotHelp: "slowing the guest down as far as is allowed would not help",
  switchesBackedOut: "too many switches would have taken longer than allowed",
  tooLong: "the copy has gone on for too long",
  deadline: "the deadline has come",
} as const;

/** A decision as a sentence for people. */
export function decisionText(decision: MoveDecision): string {
  switch (decision.kind) {
    case "switch": {
      const left = `${String(Math.ceil(decision.remainingBytes / 1024))} KiB left in round ${String(decision.round)}`;
      return `switch: ${left}${switchReasons[decision.because]}, forecast ${decision.expectedOutageMs.toFixed(1)} ms of ${String(decision.maxOutageMs)} ms`;
    }
    case "postcopy": {
      const left = `${mib(decision.remainingBytes)} left in round ${String(decision.round)}`;
      switch (decision.because) {
        case "halfOfTheOnlyRound":
          return "post-copy: half of the only round is sent";
        case "everythingSentOnce":
          return `post-copy: ${left}`;
        default:
          return `post-copy as the last resort: ${left}, and ${lastResorts[decision.because]}`;
      }
    }
    case "postcopyLeftOut":
      return `post-copy is left out, because host ${decision.host} does not allow it: ${decision.reason.replace(/\.$/, "")}`;
    case "throttle":
      return (
        `throttle the guest to ${percent(1 - decision.throttle)} of its speed (at least ${percent(1 - decision.maxSlowdown)} is left to it): ` +
        `${mib(decision.remainingBytes)} left in round ${String(decision.round)} and no longer shrinking, ` +
        `it changes ${mib(decision.dirtyBytesPerSecond)}/s and the link carries ${mib(decision.bytesPerSecond)}/s`
      );
    case "linkSlow":
      return `wait for the link: it carries ${mib(decision.bytesPerSecond)}/s instead of ${mib(decision.usualBytesPerSecond)}/s, which is not the guest's doing`;
    case "limits":
      return limitsText(decision);
    case "backedOut":
      return `switch backed out after ${decision.afterMs.toFixed(0)} ms: it would have taken longer than allowed`;
    case "runsWhileMemoryArrives":
      return "the guest runs at the destination; what is left of its memory follows";
    case "streamBroken":
      return "the stream of its memory broke and is made again";
    case "resumeRefused":
      return `the guest could not be resumed yet: ${decision.reason}`;
    case "agentRestarted":
      return "the source's agent was restarted";
    case "note":
      return decision.text;
  }
}

function limitsText({
  bandwidthBytesPerSecond: bandwidth,
  maxOutageMs,
  because,
}: Extract<MoveDecision, { kind: "limits" }>): string {
  const rate =
    bandwidth === undefined
      ? []
      : [
          bandwidth === null
            ? "the copy uses what the link gives"
            : `the copy uses at most ${((bandwidth * 8) / 1e6).toFixed(1)} Mbit/s`,
        ];
  const pause = maxOutageMs === undefined ? [] : [`the pause may take ${String(maxOutageMs)} ms`];
  const why = because === "asked" ? "as was asked for" : "its share of what its hosts' moves may use";
  return `from now on ${[...rate, ...pause].join(" and ")}, ${why}`;
}

/** A decision with its time, and its sentence for those who read the JSON. */
export const moveDecisionSchema = z.preprocess(
  (value) =>
    typeof value === "object" && value !== null && !("kind" in value) ? { kind: "note", ...value } : value,
  z.intersection(z.object({ at: z.iso.datetime(), text: z.string() }), moveDecisionDataSchema),
);
