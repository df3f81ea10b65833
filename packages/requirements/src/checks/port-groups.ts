/** Each of the VM's port groups exists at the destination, leads outside at both ends, and has a carrier there. */
import { finding, type Finding } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

export const portGroups: Requirement = ({ vm, source, target }) => {
  const names = [...new Set(vm.nics.map((nic) => nic.portGroup))];
  return names.flatMap((network): Finding[] => {
    const here = source.portGroups.find((group) => group.name === network);
    const there = target.portGroups.find((group) => group.name === network);
    if (there === undefined) {
      return [finding("DESTINATION_LACKS_NETWORK", { host: target.name, network })];
    }
    const findings: Finding[] = [];
    if (here?.uplink === null) findings.push(finding("NETWORK_INTERNAL", { host: source.name, network }));
    if (there.uplink === null) {
      findings.push(finding("NETWORK_INTERNAL", { host: target.name, network }));
    } else if (!there.uplinkUp) {
      findings.push(finding("NETWORK_LINK_DOWN", { host: target.name, network, uplink: there.uplink }));
    }
    return findings;
  });
};
