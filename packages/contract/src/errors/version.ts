/** Errors between programs of different versions. */
import { define } from "./define.ts";

/** Two programs, each by a name that goes on in a sentence (`host b`, `the server`), with what it tells of its version. */
export interface TwoVersions {
  who: string;
  version: string;
  other: string;
  otherVersion: string;
  /** The one of the two that speaks only older versions. */
  older: string;
}

const order = "Upgrade servers first, then agents, one version at a time.";

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export const versionErrors = {
  VERSION_UNSUPPORTED: define<TwoVersions>(
    409,
    "after-fix",
    (d) =>
      `${capital(d.who)} runs ${d.version} and ${d.other} runs ${d.otherVersion}: they have no version of the protocol in common.`,
    (d) => `Upgrade ${d.older} first. ${order}`,
  ),
  VERSIONS_DIFFER: define<TwoVersions>(
    409,
    "after-fix",
    (d) => `${capital(d.who)} runs ${d.version} and ${d.other} runs ${d.otherVersion}.`,
    (d) => `They work together until the upgrade is complete: upgrade ${d.older} next. ${order}`,
  ),
  /** The other side answered, but not as this version expects. */
  ANSWER_NOT_UNDERSTOOD: define<{ url: string; version: string; ownVersion: string; reason: string }>(
    502,
    "after-fix",
    (d) =>
      `The program at ${d.url} is ${d.version}, this one is ${d.ownVersion}, and they do not understand each other here: ${d.reason}.`,
    () => `Upgrade the older of the two. ${order}`,
  ),
  MESSAGE_NOT_UNDERSTOOD: define<{ host: string; version: string; message: string }>(
    409,
    "after-fix",
    (d) => `The agent of host ${d.host}, ${d.version}, does not understand the message ${d.message}.`,
    () =>
      "If the agents of the two hosts differ in version, upgrade the older one; else report this as a bug.",
  ),
  /** `what`: as in "move disks between datastores". */
  AGENT_CANNOT: define<{ host: string; version: string; what: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} cannot ${d.what}: its agent is of version ${d.version}.`,
    (d) => `Upgrade the agent of ${d.host}; its VMs run on meanwhile. Versions: godwit host show ${d.host}`,
  ),
} as const;
