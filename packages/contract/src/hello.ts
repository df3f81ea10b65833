/**
 * How two programs of Godwit tell each other their versions: in headers of the HTTP request that opens a conversation
 * and of its answer, so that it costs no round trip. One number counts everything that hosts and servers say to each
 * other or leave for each other: messages of a move, journals, the agent's API. A program that says nothing is of
 * version 1, which had no such headers.
 */
import type { TwoVersions } from "./errors/version.ts";

export interface ProtocolRange {
  readonly oldest: number;
  readonly newest: number;
}

/** The versions that this program speaks: its own and the one before it. */
export const spokenProtocol: ProtocolRange = { oldest: 1, newest: 2 };

export interface Hello {
  /** Of the program, like `0.1.0`; null where it does not tell. */
  readonly software: string | null;
  readonly protocol: ProtocolRange;
}

/** Of a program that does not name its software. */
export const plainHello: Hello = { software: null, protocol: spokenProtocol };

/** Of one that says nothing. */
export const silentHello: Hello = { software: null, protocol: { oldest: 1, newest: 1 } };

const softwareHeader = "godwit-version";
const protocolHeader = "godwit-protocol";

export function helloHeaders({ software, protocol }: Hello): Record<string, string> {
  if (protocol.newest === silentHello.protocol.newest) return {};
  return {
    ...(software === null ? {} : { [softwareHeader]: software }),
    [protocolHeader]: `${String(protocol.oldest)}-${String(protocol.newest)}`,
  };
}

/** What the headers of the other side say; one that cannot be read counts as silent. */
export function helloOf(headers: Readonly<Record<string, string | readonly string[] | undefined>>): Hello {
  const [, oldest, newest] = /^(\d{1,6})-(\d{1,6})$/.exec(String(headers[protocolHeader])) ?? [];
  const software = headers[softwareHeader];
  if (oldest === undefined || newest === undefined || Number(oldest) > Number(newest)) return silentHello;
  return {
    software: typeof software === "string" && /^[\w.+~-]{1,64}$/.test(software) ? software : null,
    protocol: { oldest: Number(oldest), newest: Number(newest) },
  };
}

/** The highest version that both speak; null: there is none. */
export function commonVersion(a: ProtocolRange, b: ProtocolRange): number | null {
  const newest = Math.min(a.newest, b.newest);
  return newest >= Math.max(a.oldest, b.oldest) ? newest : null;
}

/** Whether an agent that speaks this version at most keeps a paused guest paused when it arrives. */
export const keepsPaused = (newest: number): boolean => newest >= 2;

/** Whether two programs are known to be of different versions. */
export const versionsDiffer = (a: Hello, b: Hello): boolean =>
  a.protocol.oldest !== b.protocol.oldest ||
  a.protocol.newest !== b.protocol.newest ||
  (a.software !== null && b.software !== null && a.software !== b.software);

/** For an error about two programs. @param who like `host b` */
export function versionsOf(who: string, hello: Hello, other: string, otherHello: Hello): TwoVersions {
  const byProtocol = hello.protocol.newest - otherHello.protocol.newest;
  const bySoftware = (hello.software ?? "").localeCompare(otherHello.software ?? "", "en", { numeric: true });
  const older = (byProtocol === 0 ? bySoftware : byProtocol) < 0 ? who : other;
  return { who, version: helloText(hello), other, otherVersion: helloText(otherHello), older };
}

/** For people: `Godwit 0.2.0 (protocol 2 to 3)`. */
export function helloText({ software, protocol: { oldest, newest } }: Hello): string {
  const versions = oldest === newest ? String(newest) : `${String(oldest)} to ${String(newest)}`;
  return `Godwit ${software === null ? "" : `${software} `}(protocol ${versions})`;
}
