/** Which changes at this host's tunnels something else made: what its agent had applied, and what is not so any more. Pure. */
import type { TunnelsApplied } from "@godwit/network";

/** The one before, if that ended. */
export interface LastLook {
  definitions: string;
  /** Switches that were not applied, or not as they are defined. */
  refused: readonly string[];
}

/**
 * A tunnel that was refused at the last look is made or changed by its agent when that is possible: its underlay has its address
 * by now, nft was installed. One that is refused now, as for its underlay's MTU, is changed for that.
 * @returns sentences' ends, by switch
 */
export function changesByOthers(
  last: LastLook | null,
  definitions: string,
  { refused, changed, exposed }: TunnelsApplied,
): TunnelsApplied["changed"] {
  const isApplied = ({ switch: name }: { switch: string }) =>
    last?.definitions === definitions &&
    !last.refused.includes(name) &&
    !refused.some((one) => one.switch === name);
  const puttingRight = ({ switch: name, reason }: { switch: string; reason: string }) => ({
    switch: name,
    reason: `${reason}, which its agent has put right: something else on the host changes it`,
  });
  // Of `exposed` it is known that the agent did not do it.
  return [...exposed, ...changed.filter(isApplied).map(puttingRight)];
}
