/**
 * Questions to this host's sanlock daemon over its socket, without starting a program: what decides over the life of
 * VMs must be possible to ask when there is no memory or descriptor left for one. The daemon answers with a header
 * and records of fixed size, and closes (sanlock_sock.h and sanlock.h of sanlock 3.8).
 *
 * A few descriptors are kept in reserve for these questions. What still keeps this program from asking (no memory) is
 * told as SANLOCK_NOT_ASKED, which says nothing about sanlock; SANLOCK_UNAVAILABLE is said of a daemon that was asked.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { GodwitError } from "@godwit/contract";
import { withReserve } from "@godwit/system";

/** `SM_CMD_` */
const commands = { status: 5, hostStatus: 15 } as const;
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
  return statesOf(await ask(path, commands.status, Buffer.alloc(0), limitMs));
}

/** The hosts of a lockspace that this host has joined. @throws SANLOCK_UNAVAILABLE, SANLOCK_NOT_ASKED */
export async function askHosts(path: string, lockspace: string, limitMs: number): Promise<SanlockState[]> {
  const name = Buffer.alloc(lockspaceBytes);
  name.write(lockspace, 0, nameBytes, "utf8");
  return statesOf(await ask(path, commands.hostStatus, name, limitMs));
}

/** @returns what follows the header of the answer */
async function ask(path: string, command: number, body: Buffer, limitMs: number): Promise<Buffer> {
  const header = Buffer.alloc(headerBytes);
  [magic, protocol, command, 0, headerBytes + body.length].forEach((value, at) =>
    header.writeUInt32LE(value, at * 4),
  );
  const signal = AbortSignal.timeout(limitMs);
  const answer = await withReserve(async () => {
    const socket = connect(path);
    try {
      await once(socket, "connect", { signal });
      socket.write(Buffer.concat([header, body]));
      return await wholeAnswer(socket, signal);
    } finally {
      socket.destroy();
    }
  }).catch((error: unknown) => {
    throw failure(error, signal);
  });
  if (answer.length < headerBytes || answer.readUInt32LE(0) !== magic)
    throw unavailable("its daemon does not answer as sanlock does");
  const code = answer.readInt32LE(24);
  if (code < 0)
    throw unavailable(`its daemon has not joined the leases of the datastore, or answered ${String(code)}`);
  return answer.subarray(headerBytes);
}

/** Up to the end that the daemon makes; an answer that breaks off is an error. */
async function wholeAnswer(socket: Socket, signal: AbortSignal): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  signal.addEventListener("abort", () => socket.destroy(new Error("late")), { once: true });
  for await (const piece of socket as AsyncIterable<Buffer>) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > answerLimitBytes) throw unavailable("its daemon's answer has no end");
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
