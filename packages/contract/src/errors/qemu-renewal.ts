/** How bringing a host's VMs onto its QEMU may end, other than well. */
import { define } from "./define.ts";

export const qemuRenewalErrors = {
  QEMU_RENEWAL_INCOMPLETE: define<{ host: string; outdated: string[]; away: string[] }>(
    409,
    "after-fix",
    (d) =>
      [
        ...(d.outdated.length === 0
          ? []
          : [`${d.outdated.join(", ")} on host ${d.host} still run on a QEMU of before its upgrade.`]),
        ...(d.away.length === 0
          ? []
          : [`${d.away.join(", ")} moved away from host ${d.host} and could not move back.`]),
      ].join(" "),
    (d) =>
      [
        "Each finding says what is wrong and what to do.",
        ...(d.outdated.length === 0
          ? []
          : [
              `Then go on with: godwit host renew-qemu ${d.host}; stopping and starting a VM brings it onto the new QEMU, too.`,
            ]),
        ...d.away.map((vm) => `Bring ${vm} back with: godwit vm migrate ${vm} --to ${d.host}`),
      ].join(" "),
  ),
  QEMU_RENEWAL_CANCELLED: define<{ host: string; renewed: string[]; left: string[] }>(
    409,
    "never",
    (d) =>
      `Bringing the VMs of host ${d.host} onto its QEMU was cancelled; ${d.renewed.length === 0 ? "none was" : `${d.renewed.join(", ")} had been`} brought onto it, ${d.left.length === 0 ? "nothing is left" : `${d.left.join(", ")} were left as they were`}.`,
    (d) => `Nothing needs to be done. Go on with: godwit host renew-qemu ${d.host}`,
  ),
} as const;
