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
    /** Next to nothing is left, or another round would not leave less. */
    because: z.enum(["nearlyNothingLeft", "noLongerShrinking"]),
  }),
  /** The guest is stopped, and goes on at the destination before all its memory is there. */
  z.object({
    kind: z.literal("postcopy"),
    round: z.int(),
    remainingBytes: z.number(),
    /** Every page was sent once, or half of the only round that can be trusted is sent. */
    because: z.enum(["everythingSentOnce", "halfOfTheOnlyRound"]),
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

/** A decision as a sentence for people. */
export function decisionText(decision: MoveDecision): string {
  switch (decision.kind) {
    case "switch": {
      const left = `${String(Math.ceil(decision.remainingBytes / 1024))} KiB left in round ${String(decision.round)}`;
      const plateau = decision.because === "noLongerShrinking" ? " and no longer shrinking" : "";
      return `switch: ${left}${plateau}, forecast ${decision.expectedOutageMs.toFixed(1)} ms of ${String(decision.maxOutageMs)} ms`;
    }
    case "postcopy":
      return decision.because === "halfOfTheOnlyRound"
        ? "post-copy: half of the only round is sent"
        : `post-copy: ${String(Math.ceil(decision.remainingBytes / 2 ** 20))} MiB left in round ${String(decision.round)}`;
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

/** A decision with its time, and its sentence for those who read the JSON. */
export const moveDecisionSchema = z.preprocess(
  (value) =>
    typeof value === "object" && value !== null && !("kind" in value) ? { kind: "note", ...value } : value,
  z.intersection(z.object({ at: z.iso.datetime(), text: z.string() }), moveDecisionDataSchema),
);
