/** What a host has otherwise than the inventory defines it. Pure. */
import { isSameSource, sourceText, type DatastoreDefinition, type HostFacts } from "@godwit/contract";

export interface Drift {
  name: string;
  /** How it differs, a sentence's end. */
  reason: string;
}

type Has = HostFacts["datastores"][number];

/** @param facts of the host, as it told them last */
export function driftOf(desired: readonly DatastoreDefinition[], facts: HostFacts): Drift[] {
  const { datastoresRefused: refused } = facts;
  const why = (name: string): string => {
    if (refused === undefined) return ": its agent is of a version that takes no definitions";
    const found = refused.find((one) => one.name === name);
    return found === undefined ? "" : `: ${found.reason}`;
  };
  const drifts = desired.flatMap((wanted): Drift[] => {
    const { kind } = wanted.source;
    if (refused !== undefined && !knowsKind(facts, wanted))
      return [
        {
          name: wanted.name,
          reason: `its agent is of a version that knows no datastores of kind ${kind}${chapOf(wanted) ? " with CHAP" : ""}${isReserved(wanted) ? " with persistent reservations" : ""}`,
        },
      ];
    const has = facts.datastores.find(({ name }) => name === wanted.name);
    const differs = differenceOf(wanted, has);
    return differs === null ? [] : [{ name: wanted.name, reason: differs + why(wanted.name) }];
  });
  const extra = facts.datastores.filter(
    ({ name, origin }) => origin === "inventory" && !desired.some((wanted) => wanted.name === name),
  );
  return [
    ...drifts,
    ...extra.map(({ name }) => ({ name, reason: `it was removed, and the host still has it${why(name)}` })),
  ];
}

/** What a host can be told of: what its agent does not know would make it refuse everything. */
export const knownTo = (
  desired: readonly DatastoreDefinition[],
  facts: HostFacts,
): readonly DatastoreDefinition[] => desired.filter((wanted) => knowsKind(facts, wanted));

const knowsKind = (
  { datastoreKinds = ["directory"], abilities = [] }: HostFacts,
  wanted: DatastoreDefinition,
): boolean =>
  datastoreKinds.includes(wanted.source.kind) &&
  (!chapOf(wanted) || abilities.includes("iscsiChap")) &&
  (!isReserved(wanted) || abilities.includes("lunReservations"));

const chapOf = ({ source }: DatastoreDefinition): boolean =>
  source.kind === "iscsi" && source.chap !== undefined;

const isReserved = ({ reservations }: Pick<DatastoreDefinition, "reservations">): boolean =>
  reservations === true;

/** Whether the host is to be told all that is defined for it. One that has it by its own configuration is, once. */
export const mustBeTold = (desired: readonly DatastoreDefinition[], facts: HostFacts): boolean =>
  facts.datastoresRefused !== undefined &&
  (driftOf(knownTo(desired, facts), facts).length > 0 ||
    facts.datastores.some(
      ({ name, origin }) => origin === "configuration" && desired.some((wanted) => wanted.name === name),
    ));

/** Where a host has it. */
export const sourceOf = ({ source, path }: Has) => source ?? { kind: "directory" as const, path };

function differenceOf(wanted: DatastoreDefinition, has: Has | undefined): string | null {
  if (has === undefined) return "it does not have it";
  if (!isSameSource(sourceOf(has), wanted.source) && sourceText(sourceOf(has)) === sourceText(wanted.source))
    return "it has it with other settings";
  if (!isSameSource(sourceOf(has), wanted.source))
    return `it has it at ${sourceText(sourceOf(has))}, and not at ${sourceText(wanted.source)}`;
  if (isReserved(wanted) !== (has.reservations === true))
    return `its persistent reservations are still ${isReserved(wanted) ? "off" : "on"} there`;
  if (has.shared !== wanted.shared)
    return `it takes it for ${has.shared ? "shared" : "host-local"} storage, and not for ${wanted.shared ? "shared" : "host-local"}`;
  return null;
}
