/** A migration stream gets from the source to the destination: tried just before, with full-size packets, both ways. */
import { finding, type Finding, type PathFault } from "@godwit/contract";
import type { PathTrial, Requirement } from "../facts.ts";

/** Some link on the way runs at 100 Mbit/s, or as good as that; more is not read out of a short try. */
const warnBelowBitsPerSecond = 120_000_000;

type Tried = Extract<PathTrial, { kind: "tried" }>;

export const migrationPath: Requirement = ({ source, target, destination: { path } }) => {
  const [from, host] = [source.name, target.name];
  if (path === undefined) return [];
  if (path.kind === "refused") return [path.finding];
  if (path.kind === "untried") {
    return [finding("MIGRATION_PATH_UNTRIED", { from, host, reason: path.reason }, "warning")];
  }
  const link = source.migration?.link;
  const { fault } = path.probe;
  if (fault !== null) return [faultFinding(fault, from, host, path, link?.mtu ?? null)];
  return [...warnings(from, host, path, link?.name)];
};

function faultFinding(
  fault: PathFault,
  from: string,
  host: string,
  { address, port, probe }: Tried,
  mtu: number | null,
): Finding {
  const link = probe.route?.link ?? "";
  const way = { from, host, address, port, link };
  const reason = probe.reason ?? "no reason is known";
  switch (fault) {
    case "noRoute":
      return finding("MIGRATION_ROUTE_MISSING", { from, host, address });
    case "ownAddress":
      return finding("MIGRATION_ADDRESS_TWICE", { from, host, address });
    case "noNeighbour":
      return finding("MIGRATION_HOST_UNANSWERED", { ...way, asked: probe.route?.gateway ?? address });
    case "filtered":
      return finding("MIGRATION_PORT_FILTERED", way);
    case "rejected":
      return finding("MIGRATION_PORT_REJECTED", { ...way, reason });
    case "forbidden":
      return finding("MIGRATION_SENDING_FORBIDDEN", { ...way, reason });
    case "foreign":
      return finding("MIGRATION_ADDRESS_FOREIGN", way);
    case "sendsLost":
      return finding("MIGRATION_PACKETS_LOST", { sender: from, receiver: host, link, mtu });
    case "receivesLost":
      return finding("MIGRATION_PACKETS_LOST", { sender: host, receiver: from, link, mtu: null });
    case "broken":
      return finding("MIGRATION_PATH_BROKEN", { ...way, reason });
  }
}

function* warnings(
  from: string,
  host: string,
  { address, port, probe }: Tried,
  expected: string | undefined,
): Generator<Finding> {
  const { route, sendBitsPerSecond, receiveBitsPerSecond } = probe;
  const way = { from, host, address, port, link: route?.link ?? "" };
  if (route !== null && expected !== undefined && route.link !== expected)
    yield finding("MIGRATION_ROUTE_ELSEWHERE", { ...way, expected }, "warning");
  const rates = [sendBitsPerSecond, receiveBitsPerSecond].filter((rate) => rate !== null);
  const bitsPerSecond = Math.min(...rates);
  if (bitsPerSecond < warnBelowBitsPerSecond)
    yield finding("MIGRATION_PATH_SLOW", { ...way, bitsPerSecond }, "warning");
}
