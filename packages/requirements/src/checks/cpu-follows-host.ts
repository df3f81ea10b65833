/**
 * A VM whose CPU model follows the host (`host`, `max`) sees at once what another host has: the destination
 * starts the same words and means another CPU. VMware's rule for hosts without a baseline holds for it: what
 * programs can use without asking must be alike both ways. That the destination may not lack is checked in `cpu.ts`.
 */
import { finding } from "@godwit/contract";
import { features } from "@godwit/cpu";
import { followsHost, offers, refusedFeature } from "../cpu-features.ts";
import type { Requirement } from "../facts.ts";

export const cpuFollowsHost: Requirement = ({ vm, source, target }) => {
  if (!followsHost(vm)) return [];
  const before = offers(source.qemu);
  const after = offers(target.qemu);
  const more = features.filter(
    ({ name, level, runtime }) => level === "user" && !runtime && after(name) && !before(name),
  );
  if (more.length === 0) return [];
  return [
    finding("DESTINATION_CPU_SHOWS_MORE", {
      vm: vm.name,
      from: source.name,
      host: target.name,
      model: vm.cpu.model,
      features: more.map(({ name }) => refusedFeature(name, target)),
    }),
  ];
};
