/** The VM goes on under the accelerator that it runs under: device and CPU state differ between them. */
import { finding } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

export const accelerator: Requirement = ({ runtime, source, target }) => {
  const running = runtime.accelerator ?? source.qemu.accelerator;
  // KVM's host can also emulate; a host without working KVM cannot do the opposite.
  if (running === target.qemu.accelerator || running === "tcg") return [];
  return [
    finding("DESTINATION_ACCELERATOR_DIFFERS", {
      host: target.name,
      source: running,
      destination: target.qemu.accelerator,
    }),
  ];
};
