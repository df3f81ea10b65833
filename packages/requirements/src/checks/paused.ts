/** A VM that stands still may move: it arrives as it is, which its owner should know. */
import { finding } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

export const paused: Requirement = ({ vm, runtime, source }) =>
  runtime.state !== "paused" || runtime.pauseReason === null
    ? []
    : [
        finding(
          "VM_MOVES_PAUSED",
          { vm: vm.name, host: source.name, reason: runtime.pauseReason },
          "warning",
        ),
      ];
