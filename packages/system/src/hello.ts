/** What this program tells others of its version. */
import { silentHello, spokenProtocol, type Hello } from "@godwit/contract";
import { version } from "./version.ts";

export const ownHello: Hello = { software: version, protocol: spokenProtocol };

/**
 * An agent's: in tests it can be made to speak as version 1 did, by GODWIT_PROTOCOL=1. Neither the API nor the
 * configuration knows that.
 */
export const agentHello = (protocol: string | undefined): Hello =>
  protocol === "1" ? silentHello : ownHello;
