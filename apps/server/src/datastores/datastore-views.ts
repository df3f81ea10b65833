/** Datastores as operators see them: what is defined, beside what each host has. Pure. */
import {
  type DatastoreDefinition,
  type DatastoreOnHost,
  type DatastoreView,
  type HostFacts,
  type HostLoad,
} from "@godwit/contract";
import { sourceOn, type DatastoreRow, type HostAccessRow } from "@godwit/store";
import { driftOf, sourceOf } from "./drift.ts";

export interface HostNow {
  name: string;
  isUp: boolean;
  facts: HostFacts | null;
  load: HostLoad | null;
}

type Named = Omit<DatastoreView, "vms">;

/**
 * In order of their names; also those that a host has by its own configuration only.
 * @param revoked of a host that was fenced at a datastore, and has not got its access back
 */
export function datastoreViews(
  rows: readonly DatastoreRow[],
  hosts: readonly HostNow[],
  revoked: (datastore: string, host: string) => HostAccessRow | undefined = () => undefined,
): Named[] {
  const withAccess = (name: string, on: DatastoreOnHost): DatastoreOnHost => {
    const found = revoked(name, on.host);
    if (found === undefined) return on;
    const { state, since, reason, bootId } = found;
    return { ...on, revoked: { state, since, reason, isBootKnown: bootId !== null } };
  };
  const defined = rows.map((row): Named => {
    const { name, shared, source, everyHost, createdAt } = row;
    return {
      ...{ name, shared, source, everyHost, createdAt: createdAt.toISOString() },
      reservations: row.reservations === true,
      ...(row.fenceProgram === undefined ? {} : { fenceProgram: row.fenceProgram }),
      hosts: hosts
        .flatMap((host) => onHost(name, sourceOn(row, host.name), shared, host))
        .map((on) => withAccess(name, on)),
    };
  });
  const others = new Map<string, Named>();
  for (const host of hosts)
    for (const has of host.facts?.datastores ?? []) {
      const { name, shared } = has;
      if (rows.some((row) => row.name === name)) continue;
      const view = others.get(name) ?? {
        ...{ name, shared, source: sourceOf(has), everyHost: false, createdAt: null },
        reservations: has.reservations === true,
        hosts: [],
      };
      view.hosts.push(...onHost(name, null, shared, host));
      others.set(name, view);
    }
  return [...defined, ...others.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function onHost(
  name: string,
  desired: DatastoreOnHost["desired"],
  shared: boolean,
  { name: host, isUp, facts, load }: HostNow,
): DatastoreOnHost[] {
  const has = facts?.datastores.find((one) => one.name === name);
  if (desired === null && has === undefined) return [];
  const now = isUp ? load?.datastores.find((one) => one.name === name) : undefined;
  const known = {
    ...{ host, desired, actual: has === undefined ? null : sourceOf(has), id: has?.id ?? null },
    ...{ space: now?.space ?? null, readOnly: now?.readOnly ?? null },
    ...{ latencyMs: now?.latencyMs ?? null, leases: now?.leases ?? null },
    reservations: now?.reservations ?? null,
  };
  const as = (state: DatastoreOnHost["state"], reason: string | null) => [{ ...known, state, reason }];
  if (!isUp) return as("unknown", "the host does not answer");
  if (facts === null) return as("unknown", "the host has not reported yet");
  const wanted: DatastoreDefinition[] = desired === null ? [] : [{ name, shared, source: desired }];
  const drift = driftOf(wanted, facts).find((one) => one.name === name);
  if (drift !== undefined) return as("notApplied", drift.reason);
  if (desired === null) return as("notDefined", "the host has it by its agent's own configuration");
  if (now === undefined) return as("unknown", "the host has not told yet how it is");
  return now.reason === null ? as("available", null) : as("unavailable", now.reason);
}
