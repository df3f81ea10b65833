/** A host's virtual switches, port groups, taps and links. */
export { linkFacts, linkOfAddress } from "./links.ts";
export { portGroupFacts, type PortGroupConfig } from "./port-groups.ts";
export { createTap, deleteTap, listTaps, tapName, type TapSpec } from "./taps.ts";
