/**
 * The door to persistent reservations of a LUN: `sg_persist` of sg3-utils on one path of it, never on a multipath map. What it prints is
 * bounded and read strictly: what is not understood is an error, and never "none".
 */
import { basename } from "node:path";
import { GodwitError } from "@godwit/contract";
import { onDevice } from "../luns/lvm.ts";
import type { ReservationKey } from "./reservation-key.ts";

const program = "sg_persist";
const limitMs = 5000;
/** As many as one answer of a LUN has room for. */
const mostKeys = 1000;
const mostText = 65_536;
/** SCSI's Write Exclusive, registrants only. */
const typeNumber = "5";
const typeName = "Write Exclusive, registrants only";

export interface Reservation {
  /** Of whoever holds it. */
  key: ReservationKey;
  /** Whether it lets those write who are registered, and nobody else. */
  isRegistrantsOnly: boolean;
}

/** What a LUN says of itself. */
export interface LunReservations {
  /** Another with each change of a registration. */
  generation: string;
  /** One for each path of each host that is registered. */
  keys: ReservationKey[];
  reservation: Reservation | null;
}

const mostTries = 3;

/** @param path of the device, `/dev/sda`. @throws PROGRAM_MISSING, PROGRAM_FAILED, also for what is not understood */
export async function readReservations(path: string): Promise<LunReservations> {
  for (let tries = 0; tries < mostTries; tries++) {
    const keys = keysIn(await read(path, "--read-keys"));
    const { generation, reservation } = reservationIn(await read(path, "--read-reservation"));
    // Of one moment, else it is read again.
    if (generation === keys.generation) return { ...keys, reservation };
  }
  throw notUnderstood("it changes all the time");
}

async function read(path: string, what: string): Promise<string> {
  return await ask(path, ["--readonly", "--in", what], `reading the reservations of ${path}`);
}

/** A LUN tells first, and once, that something has changed: then it has not done what it was asked for. */
const changedCode = 6;

/**
 * What an agent that was killed has left under way at the device comes to its end first: a registration that is late must not follow one of its
 * successor, which may have activated volumes since.
 */
const oneByOne = (path: string): string[] => ["flock", "--no-fork", "--wait=3", lockOf(path)];

/** The device's folder of the kernel's: it goes with the device, nothing can be made there by mistake, and udev does not use its lock. */
const lockOf = (path: string): string => `/sys/block/${basename(path)}`;

async function ask(
  path: string,
  order: readonly string[],
  what: string,
  first: readonly string[] = [],
): Promise<string> {
  const argv = [...first, program, "--no-inquiry", ...order, path];
  for (let tries = 1; ; tries++) {
    const okCodes = tries < mostTries ? [0, changedCode] : [0];
    const { exitCode, stdout } = await onDevice(path, argv, what, { timeoutMs: limitMs, okCodes });
    if (exitCode === 0) return stdout;
  }
}

/** @throws PROGRAM_FAILED for what is no such answer. Pure. */
export function keysIn(answer: string): Pick<LunReservations, "generation" | "keys"> {
  const { generation, text, rest } = partsOf(answer);
  if (text === "there are NO registered reservation keys" && rest.length === 0)
    return { generation, keys: [] };
  const [, count] = /^(\d{1,4}) registered reservation keys? follows?:$/.exec(text) ?? [];
  if (count === undefined || Number(count) !== rest.length || rest.length > mostKeys) throw notUnderstood();
  return { generation, keys: rest.map(keyIn) };
}

/** @throws PROGRAM_FAILED for what is no such answer. Pure. */
export function reservationIn(answer: string): Pick<LunReservations, "generation" | "reservation"> {
  const { generation, text, rest } = partsOf(answer);
  if (text === "there is NO reservation held" && rest.length === 0) return { generation, reservation: null };
  const [, key, type] =
    /^Reservation follows: Key=(0x[0-9a-f]{1,16}) scope: LU_SCOPE, +type: ([A-Za-z0-9 ,[\]<>/-]{1,80})$/.exec(
      [text, ...rest].join(" "),
    ) ?? [];
  if (key === undefined || type === undefined) throw notUnderstood();
  return { generation, reservation: { key: keyIn(key), isRegistrantsOnly: type === typeName } };
}

/** Its first line begins with the generation. */
function partsOf(answer: string): { generation: string; text: string; rest: string[] } {
  if (answer.length > mostText) throw notUnderstood();
  const lines = answer.split("\n").map((line) => line.trim());
  const [head = "", ...rest] = lines.filter((line) => line !== "");
  const [, generation, text] = /^PR generation=(0x[0-9a-f]{1,8}), (.+)$/.exec(head) ?? [];
  if (generation === undefined || text === undefined) throw notUnderstood();
  return { generation, text, rest };
}

function keyIn(text: string): ReservationKey {
  const [, digits] = /^0x([0-9a-f]{1,16})$/.exec(text) ?? [];
  if (digits === undefined) throw notUnderstood();
  return digits.padStart(16, "0");
}

const notUnderstood = (output = "its answer is not what was expected"): GodwitError =>
  GodwitError.of("PROGRAM_FAILED", { program, what: "reading the reservations of a LUN", output });

/**
 * Registers this path under a key, whichever it had before. The LUN keeps all keys and the reservation over a restart of its own (APTPL).
 * @throws PROGRAM_MISSING; PROGRAM_FAILED, also for a LUN that cannot keep them
 */
export async function register(path: string, key: ReservationKey): Promise<void> {
  await change(path, ["--register-ignore", `--param-sark=${key}`, "--param-aptpl"], `registering ${path}`);
}

/** Removes this path's key, whichever it is. @throws PROGRAM_FAILED */
export async function unregister(path: string): Promise<void> {
  await change(path, ["--register-ignore", "--param-sark=0"], `removing the key of ${path}`);
}

/** @throws PROGRAM_FAILED, also where this path is not registered under the key */
export async function reserve(path: string, key: ReservationKey): Promise<void> {
  await change(path, ["--reserve", `--param-rk=${key}`, `--prout-type=${typeNumber}`], `reserving ${path}`);
}

/** Takes another key away, and ends what its host has under way at the LUN. @throws PROGRAM_FAILED */
export async function preempt(path: string, key: ReservationKey, other: ReservationKey): Promise<void> {
  const keys = [`--param-rk=${key}`, `--param-sark=${other}`];
  await change(
    path,
    ["--preempt-abort", ...keys, `--prout-type=${typeNumber}`],
    `taking key ${other} from ${path}`,
  );
}

/** Removes the reservation and the keys of all. @throws PROGRAM_FAILED */
export async function clear(path: string, key: ReservationKey): Promise<void> {
  await change(path, ["--clear", `--param-rk=${key}`], `removing the reservations of ${path}`);
}

async function change(path: string, order: readonly string[], what: string): Promise<void> {
  await ask(path, ["--out", ...order], what, oneByOne(path));
}
