/**
 * Questions to this host's sanlock daemon over its socket, without starting a program: what decides over the life of
 * VMs must be possible to ask when there is no memory or descriptor left for one, and a move waits for the answers. The
 * daemon answers with a header and records of fixed size (sanlock_sock.h and sanlock.h of sanlock 3.8); it closes after
 * an answer about itself, and after others waits for the next question.
 *
 * A few descriptors are kept in reserve for these questions. What still keeps this program from asking (no memory) is
 * told as SANLOCK_NOT_ASKED, which says nothing about sanlock; SANLOCK_UNAVAILABLE is said of a daemon that was asked.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { GodwitError } from "@godwit/contract";
import { withReserve } from "@godwit/system";

/** `SM_CMD_` */
const commands = { status: 5, release: 8, hostStatus: 15, readOwners: 24, convert: 27 } as const;
/** `SANLK_STATE_` */
const kinds = { daemon: 1, lockspace: 3, resource: 4, host: 5 } as const;
const magic = 0x04282010;
const protocol = 1;
const headerBytes = 32;
const stateBytes = 80;
const nameBytes = 48;
const diskBytes = 1040;
const pathBytes = 1024;
const lockspaceBytes = 1104;
const resourceBytes = 128;
/** `SANLK_RES_SHARED` */
const sharedFlag = 0x4;
const answerLimitBytes = 16 * 1024 * 1024;

/** One record of an answer: what it is of, and `key=value` as the daemon writes it for people. */
export interface SanlockState {
  kind: keyof typeof kinds | "other";
  name: string;
  /** Of a resource: of its holder. */
  pid: number;
  values: Readonly<Record<string, string>>;
  lockspace: { id: number; path: string } | null;
  resource: { lockspace: string; path: string; isShared: boolean } | null;
}

/** The daemon's own state, its lockspaces, and what its clients hold. @throws SANLOCK_UNAVAILABLE, SANLOCK_NOT_ASKED */
export async function askStatus(path: string, limitMs: number): Promise<SanlockState[]> {
  return statesOf(await askState(path, { command: "status" }, limitMs));
}

/** The hosts of a lockspace that this host has joined. @throws SANLOCK_UNAVAILABLE, SANLOCK_NOT_ASKED */
export async function askHosts(path: string, lockspace: string, limitMs: number): Promise<SanlockState[]> {
  const name = Buffer.alloc(lockspaceBytes);
  name.write(lockspace, 0, nameBytes, "utf8");
  return statesOf(await askState(path, { command: "hostStatus", body: name }, limitMs));
}

export interface SanlockQuestion {
  command: keyof typeof commands;
  /** Two numbers of the header, whose meaning is the command's; absent: 0. */
  data?: readonly [number, number];
  body?: Buffer;
}

export interface SanlockAnswer {
  /** Negative: why it was not done. */
  code: number;
  /** How many records follow, where the answer has such. */
  count: number;
  body: Buffer;
}

/** @returns what follows the header of an answer that is positive */
async function askState(path: string, question: SanlockQuestion, limitMs: number): Promise<Buffer> {
  const { code, body } = await ask(path, question, limitMs, "toItsEnd");
  if (code < 0)
    throw unavailable(`its daemon has not joined the leases of the datastore, or answered ${String(code)}`);
  return body;
}

/**
 * @param reads up to where the daemon closes, or as many bytes as the answer's header tells
 * @throws SANLOCK_UNAVAILABLE, SANLOCK_NOT_ASKED
 */
export async function ask(
  path: string,
  { command, data: [data, data2] = [0, 0], body = Buffer.alloc(0) }: SanlockQuestion,
  limitMs: number,
  reads: "toItsEnd" | "asTold" = "asTold",
): Promise<SanlockAnswer> {
  const header = Buffer.alloc(headerBytes);
  [magic, protocol, commands[command], 0, headerBytes + body.length, 0, data, data2].forEach((value, at) =>
    header.writeUInt32LE(value, at * 4),
  );
  const signal = AbortSignal.timeout(limitMs);
  const answer = await withReserve(async () => {
    const socket = connect(path);
    try {
      await once(socket, "connect", { signal });
      socket.write(Buffer.concat([header, body]));
      return await wholeAnswer(socket, signal, reads);
    } finally {
      socket.destroy();
    }
  }).catch((error: unknown) => {
    throw failure(error, signal);
  });
  if (answer.length < headerBytes || answer.readUInt32LE(0) !== magic)
    throw unavailable("its daemon does not answer as sanlock does");
  if (reads === "asTold" && answer.length < toldBytes(answer))
    throw unavailable("its daemon broke off its answer");
  return { code: answer.readInt32LE(24), count: answer.readUInt32LE(28), body: answer.subarray(headerBytes) };
}

const toldBytes = (answer: Buffer): number => Math.max(headerBytes, answer.readUInt32LE(16));

/** An answer that the daemon's end breaks off is an error. */
async function wholeAnswer(
  socket: Socket,
  signal: AbortSignal,
  reads: "toItsEnd" | "asTold",
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  signal.addEventListener("abort", () => socket.destroy(new Error("late")), { once: true });
  for await (const piece of socket as AsyncIterable<Buffer>) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > answerLimitBytes) throw unavailable("its daemon's answer has no end");
    if (reads === "toItsEnd" || bytes < headerBytes) continue;
    const [first = piece] = pieces.length === 1 ? pieces : [Buffer.concat(pieces)];
    if (bytes >= toldBytes(first)) break;
  }
  return Buffer.concat(pieces);
}

function failure(error: unknown, signal: AbortSignal): unknown {
  if (GodwitError.is(error)) return error;
  if (signal.aborted) return unavailable("its daemon does not answer");
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ECONNREFUSED") return unavailable("its daemon does not run");
  if (code === "ECONNRESET" || code === "EPIPE") return unavailable("its daemon broke off its answer");
  return GodwitError.of("SANLOCK_NOT_ASKED", { reason: code ?? String(error) }, { cause: error });
}

/** @throws SANLOCK_UNAVAILABLE when the last record is not whole */
export function statesOf(answer: Buffer): SanlockState[] {
  const states: SanlockState[] = [];
  let at = 0;
  const take = (bytes: number): Buffer => {
    if (at + bytes > answer.length) throw unavailable("its daemon broke off its answer");
    at += bytes;
    return answer.subarray(at - bytes, at);
  };
  while (at < answer.length) {
    const head = take(stateBytes);
    const type = head.readUInt32LE(0);
    const kind = (Object.keys(kinds) as (keyof typeof kinds)[]).find((one) => kinds[one] === type) ?? "other";
    const text = textOf(take(head.readUInt32LE(72)));
    const values: Record<string, string> = {};
    for (const [, key = "", value = ""] of text.matchAll(/(\w+)=(\S*)/g)) values[key] = value;
    let lockspace: SanlockState["lockspace"] = null;
    let resource: SanlockState["resource"] = null;
    if (kind === "lockspace") {
      const body = take(lockspaceBytes);
      lockspace = { id: Number(body.readBigUInt64LE(48)), path: textOf(body.subarray(64, 64 + pathBytes)) };
    }
    if (kind === "resource") {
      const body = take(resourceBytes);
      const disks = take(body.readUInt32LE(124) * diskBytes);
      resource = {
        lockspace: textOf(body.subarray(0, nameBytes)),
        path: textOf(disks.subarray(0, pathBytes)),
        isShared: (body.readUInt32LE(120) & sharedFlag) !== 0,
      };
    }
    const name = textOf(head.subarray(24, 24 + nameBytes));
    states.push({ kind, name, pid: head.readInt32LE(8), values, lockspace, resource });
  }
  return states;
}

/** A C string. */
function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end === -1 ? bytes.length : end);
}

const unavailable = (reason: string): GodwitError => GodwitError.of("SANLOCK_UNAVAILABLE", { reason });
