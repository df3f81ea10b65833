/**
 * Whether this agent must end its VMs on a datastore because this host's own lease there was not renewed in time. Pure.
 *
 * Which clock decides: sanlock's own. It counts from this host's last renewal on the machine's monotonic clock, ends
 * the holders of VMs' leases after 8 io timeouts, and the watchdog resets a host on which even that fails; 8 io
 * timeouts and 60 s after the last renewal, as other hosts saw it on the storage, they may take the leases. The agent
 * counts the same only for a sanlock that hangs, where no watchdog would help.
 *
 * So it goes by what was seen: the daemon's answer, or the time that lies on the storage. Where neither can be had, two
 * things are told apart. Both were asked, and hang or fail: so they do when this host cannot renew, and the countdown
 * from the last renewal that was seen goes on. Or this agent lacked the means to ask: that is no fact about the lease,
 * nothing is ended because of it, and sanlock and its watchdog decide as always. The countdown is not set back by that:
 * the first look that succeeds, or finds both silent, counts from the last renewal that was seen.
 */

/** What one source says of this host's last renewal. */
export type Witness =
  { kind: "renewed"; secondsAgo: number } | { kind: "silent" } | { kind: "notAsked"; reason: string };

export interface RenewalFacts {
  daemon: Witness;
  storage: Witness;
  /** Since a renewal was seen last, or since this agent began to look. */
  secondsUnseen: number;
  /** Looks in a row in which both were asked and neither answered, with this one. */
  silentLooks: number;
  /** After so long without a renewal its VMs must not run. */
  failSeconds: number;
}

/** One look may be late because this machine stood still. */
const enoughLooks = 2;

export function mustEnd({ daemon, storage, secondsUnseen, silentLooks, failSeconds }: RenewalFacts): boolean {
  const ages = [daemon, storage].flatMap((witness) =>
    witness.kind === "renewed" ? [witness.secondsAgo] : [],
  );
  if (ages.length > 0) return Math.min(...ages) >= failSeconds;
  return isSilent(daemon, storage) && silentLooks >= enoughLooks && secondsUnseen >= failSeconds;
}

/** Whether both were asked, and neither answered. */
export const isSilent = (daemon: Witness, storage: Witness): boolean =>
  daemon.kind === "silent" && storage.kind === "silent";
