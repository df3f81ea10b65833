/** An agent of another version than the server that asks it. */
import {
  commonVersion,
  finding,
  GodwitError,
  versionsDiffer,
  versionsOf,
  type Finding,
  type Hello,
} from "@godwit/contract";

/** An error where the two cannot work together; a warning where they can, but one of them is to be upgraded. */
export function versionFindings(host: string, agent: Hello, server: Hello): Finding[] {
  const versions = ofHost(host, agent, server);
  if (commonVersion(agent.protocol, server.protocol) === null)
    return [finding("VERSION_UNSUPPORTED", versions)];
  return versionsDiffer(agent, server) ? [finding("VERSIONS_DIFFER", versions, "warning")] : [];
}

/** @throws VERSION_UNSUPPORTED */
export function requireCommonVersion(host: string, agent: Hello, server: Hello): void {
  if (commonVersion(agent.protocol, server.protocol) === null)
    throw GodwitError.of("VERSION_UNSUPPORTED", ofHost(host, agent, server));
}

const ofHost = (host: string, agent: Hello, server: Hello) => ({
  host,
  ...versionsOf(`the agent of host ${host}`, agent, "the server", server),
});
