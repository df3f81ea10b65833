/** Datastores as lines for people. Pure. */
import { sourceText, type DatastoreEntry, type DatastoreOnHost, type DatastoreView } from "@godwit/contract";
import { formatBytes, formatTable } from "./format.ts";

export function datastoresText(datastores: readonly DatastoreView[]): string {
  return formatTable([
    ["NAME", "KIND", "PLACE", "SHARED", "HOSTS", "FREE", "VMS"],
    ...datastores.map(({ name, source, shared, hosts, vms }) => [
      ...[name, source.kind, sourceText(source), shared ? "shared" : "host-local"],
      ...[hostsText(hosts), leastFree(hosts), String(vms.length)],
    ]),
  ]);
}

export function datastoreText(view: DatastoreView): string {
  const { name, source, shared, everyHost, createdAt, hosts, vms } = view;
  const head = formatTable([
    ["name", name],
    ["kind", `${source.kind}, ${shared ? "shared by its hosts" : "each host's own"}`],
    ["place", sourceText(source)],
    ["defined", createdAt === null ? "by hosts' own configuration only" : definedFor(everyHost)],
    ...(view.reservations ? [["reservations", "on"]] : []),
    ...(view.fenceProgram === undefined ? [] : [["fence program", view.fenceProgram]]),
    ["vms", vms.length === 0 ? "none" : vms.join(" ")],
    ...differentIds(view),
  ]);
  if (hosts.length === 0) return `${head}\n\nNo host has it.`;
  const table = formatTable([
    [
      ...["HOST", "STATE", "PLACE", "FREE", "LATENCY", "LEASES"],
      ...(view.reservations ? ["RESERVATIONS"] : []),
      "ID",
    ],
    ...hosts.map((on) => [
      ...[on.host, stateWords[on.state], placeText(on)],
      on.space === null ? "" : `${formatBytes(on.space.freeBytes)} of ${formatBytes(on.space.totalBytes)}`,
      on.latencyMs === null ? "" : `${String(on.latencyMs)} ms`,
      on.leases === null ? "" : on.leases.state,
      ...(view.reservations ? [reservationsText(on)] : []),
      on.id ?? "",
    ]),
  ]);
  const reasons = hosts.flatMap(({ host, reason, reservations, revoked }) =>
    [
      reason,
      view.reservations ? (reservations?.reason ?? null) : null,
      revokedText(name, host, revoked),
    ].flatMap((why) => (why === null ? [] : [`${host}: ${why}`])),
  );
  return [head, "", table, ...(reasons.length === 0 ? [] : ["", ...reasons])].join("\n");
}

const revokedWords = {
  revoking: "it was to be fenced, and may have lost its access",
  revoked: "it was fenced, and has no access",
  restoring: "it was fenced, and was to get its access back",
} as const;

/** Of a host that was fenced by the fence program. */
function revokedText(datastore: string, host: string, revoked: DatastoreOnHost["revoked"]): string | null {
  if (revoked === undefined) return null;
  const { state, since, reason, isBootKnown } = revoked;
  const why = reason === null ? "" : ` (${reason})`;
  const how =
    isBootKnown === false
      ? "Which boot was fenced is not known: restart it, and then"
      : "It gets it back when it reports after a restart, or by";
  return `${revokedWords[state]}, since ${since}${why}. ${how}: godwit datastore restore ${datastore} --host ${host} --host-was-restarted`;
}

/** Of a host, by what it saw last. */
function reservationsText({ reservations }: DatastoreOnHost): string {
  if (reservations === null) return "unknown";
  if (!reservations.registered) return "not registered";
  return reservations.reserved ? "registered, in force" : "registered";
}

export function entriesText({
  entries,
  isWhole,
}: {
  entries: readonly DatastoreEntry[];
  isWhole: boolean;
}): string {
  if (entries.length === 0) return "Nothing lies there.";
  const table = formatTable([
    ["NAME", "KIND", "SIZE", "ALLOCATED", "MODIFIED"],
    ...entries.map(({ name, kind, bytes, allocatedBytes, modifiedAt }) => [
      ...[kind === "folder" ? `${name}/` : name, kind],
      ...[bytes, allocatedBytes].map((amount) => (amount === undefined ? "" : formatBytes(amount))),
      modifiedAt,
    ]),
  ]);
  return isWhole ? table : `${table}\n… and more.`;
}

const stateWords: Readonly<Record<DatastoreOnHost["state"], string>> = {
  available: "available",
  unavailable: "unavailable",
  notApplied: "not applied",
  unknown: "unknown",
  notDefined: "not defined",
};

const definedFor = (everyHost: boolean): string =>
  everyHost ? "for every host, also those that join later" : "for the hosts below";

function hostsText(hosts: readonly DatastoreOnHost[]): string {
  const available = hosts.filter(({ state }) => state === "available").length;
  return available === hosts.length ? String(available) : `${String(available)} of ${String(hosts.length)}`;
}

function leastFree(hosts: readonly DatastoreOnHost[]): string {
  const free = hosts.flatMap(({ space }) => (space === null ? [] : [space.freeBytes]));
  return free.length === 0 ? "" : formatBytes(Math.min(...free));
}

const placeText = ({ desired, actual }: DatastoreOnHost): string => {
  const place = actual ?? desired;
  return place === null ? "" : sourceText(place);
};

/** Shared storage is one: hosts that read different ids from it see different storage. */
function differentIds({ shared, hosts }: DatastoreView): string[][] {
  const ids = new Set(hosts.flatMap(({ id }) => id ?? []));
  return shared && ids.size > 1
    ? [["warning", "its hosts see different storage under this name: their ids differ"]]
    : [];
}
