/** A VM that stands still may move to an agent that keeps it so: it arrives as it is, which its owner should know. */
import { finding, helloText, keepsPaused } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

export const paused: Requirement = ({ vm: { name: vm }, runtime, source, destination }) => {
  const { state, pauseReason: reason } = runtime;
  if (state !== "paused" || reason === null) return [];
  const { name: host, agent } = destination;
  if (agent !== undefined && !keepsPaused(agent.protocol.newest))
    return [finding("DESTINATION_RESUMES_PAUSED", { vm, host, version: helloText(agent), reason })];
  return [finding("VM_MOVES_PAUSED", { vm, host: source.name, reason }, "warning")];
};
