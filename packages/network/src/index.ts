/** Virtual switches as Linux bridges: port groups, taps of VMs, links with their speeds. */
export { linkFacts, linkStates, linkWith, type LinkState } from "./links.ts";
export { isBridge, portGroupFacts, portGroupLoad, type PortGroupConfig } from "./port-groups.ts";
export { endConnections, isConnecting, networkBusyMs } from "./connections.ts";
export { offerAddresses } from "./multipath.ts";
export { enableQuickAck } from "./quick-ack.ts";
export { neighbours, type Neighbour } from "./neighbours.ts";
export { isUnanswered, routeTo, type Route } from "./route.ts";
export {
  createTap,
  createTaps,
  deleteTap,
  deleteTaps,
  listTaps,
  moveTap,
  tapName,
  tapsOf,
  type TapSpec,
} from "./taps.ts";
export { macLearning, type Learning } from "./learned-macs.ts";
export { bridgeOf, type WantedSwitch } from "./switch-plan.ts";
export { applySwitches, canFilterVlans, switchFacts } from "./switches.ts";
export type { TunnelsApplied } from "./tunnels.ts";
export { lostPorts, portSecurityProblem, releasePorts, securePorts } from "./port-security.ts";
