/** Each of the VM's port groups exists at the destination, leads outside at both ends, and has a carrier there. */
import { finding, type Finding } from "@godwit/contract";
import { failureOf } from "../failure.ts";
import type { ColdRequirement } from "../facts.ts";

export const portGroups: ColdRequirement = ({ vm, source, target, targetLoad }) => {
  const names = [...new Set(vm.nics.map((nic) => nic.portGroup))];
  return names.flatMap((network): Finding[] => {
    const host = target.name;
    const here = source?.portGroups.find((group) => group.name === network);
    const there = target.portGroups.find((group) => group.name === network);
    if (there === undefined) return [finding("DESTINATION_LACKS_NETWORK", { host, network })];
    const findings: Finding[] = [];
    if (source !== null && here?.uplink === null) {
      findings.push(finding("NETWORK_INTERNAL", { host: source.name, network }));
    }
    if (there.uplink === null) {
      findings.push(finding("NETWORK_INTERNAL", { host, network }));
    } else if (targetLoad.portGroups === null) {
      const reason = failureOf(targetLoad, "portGroups");
      findings.push(finding("NETWORK_LINK_UNDETERMINED", { host, network, uplink: there.uplink, reason }));
    } else if (targetLoad.portGroups.find(({ name }) => name === network)?.uplinkUp !== true) {
      findings.push(finding("NETWORK_LINK_DOWN", { host, network, uplink: there.uplink }));
    }
    return findings;
  });
};
