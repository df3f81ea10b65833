/**
 * The cluster's authority on disk, also while a new one takes its place. Which phase that is in stands in one file,
 * written whole or not at all; everything else follows from it, so that a server that is killed goes on where it was.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createAuthority, type KeyAndCertificate } from "@godwit/pki";
import { readFileOrNull, syncFolder, writeFileAtomic } from "@godwit/system";
import { z } from "zod";
import { phaseAfter, phases, type RotationPhase } from "./phases.ts";

export interface ClusterAuthority {
  /** Signs. */
  signing: KeyAndCertificate;
  /** All that is trusted: one certificate, or two. */
  trustPem: string;
  /** Null: there is only one authority. */
  rotation: { phase: RotationPhase; before: KeyAndCertificate; next: KeyAndCertificate } | null;
}

const stateSchema = z.object({ version: z.literal(1), phase: z.enum(phases) });
const stateFile = "ca-rotation.json";
/** Of the authority that counts while no rotation is under way; its certificate's file is also what clients trust. */
const present = "ca";
const before = "ca-before";
const next = "ca-next";

export async function readAuthority(folder: string): Promise<ClusterAuthority> {
  const text = await readFileOrNull(join(folder, stateFile));
  if (text === null) {
    const signing = await read(folder, present);
    return { signing, trustPem: signing.certificatePem, rotation: null };
  }
  const state = stateSchema.safeParse(JSON.parse(text));
  // Which authority counts is not guessed.
  if (!state.success) throw state.error;
  const { phase } = state.data;
  const rotation = { phase, before: await read(folder, before), next: await read(folder, next) };
  const both = rotation.before.certificatePem + rotation.next.certificatePem;
  return {
    signing: phase === "trusting" ? rotation.before : rotation.next,
    trustPem: phase === "closing" ? rotation.next.certificatePem : both,
    rotation,
  };
}

/** Begins a rotation, or takes it to its next phase; after the last one there is the new authority only. */
export async function advanceAuthority(folder: string, name: string): Promise<ClusterAuthority> {
  const { signing, rotation } = await readAuthority(folder);
  if (rotation === null) {
    await write(folder, before, signing);
    await write(folder, next, await createAuthority(name));
    await writePhase(folder, "trusting");
  } else {
    const phase = phaseAfter(rotation.phase);
    if (phase !== null) await writePhase(folder, phase);
    else {
      // Until the phase's file is gone, these are not read.
      await write(folder, present, rotation.next);
      await rm(join(folder, stateFile), { force: true });
      await syncFolder(folder);
    }
  }
  return await settleAuthority(folder);
}

/** What an advance that was cut off left: clients' file of what is trusted, and files of an authority that is no more. */
export async function settleAuthority(folder: string): Promise<ClusterAuthority> {
  const authority = await readAuthority(folder);
  const clients = join(folder, `${present}-cert.pem`);
  if ((await readFile(clients, "utf8")) !== authority.trustPem)
    await writeFileAtomic(clients, authority.trustPem);
  if (authority.rotation === null) {
    for (const which of [before, next])
      for (const kind of ["key", "cert"]) await rm(join(folder, `${which}-${kind}.pem`), { force: true });
  }
  return authority;
}

async function writePhase(folder: string, phase: RotationPhase): Promise<void> {
  await writeFileAtomic(join(folder, stateFile), `${JSON.stringify({ version: 1, phase })}\n`);
}

async function read(folder: string, which: string): Promise<KeyAndCertificate> {
  return {
    certificatePem: await readFile(join(folder, `${which}-cert.pem`), "utf8"),
    keyPem: await readFile(join(folder, `${which}-key.pem`), "utf8"),
  };
}

async function write(folder: string, which: string, authority: KeyAndCertificate): Promise<void> {
  await writeFileAtomic(join(folder, `${which}-key.pem`), authority.keyPem, 0o600);
  await writeFileAtomic(join(folder, `${which}-cert.pem`), authority.certificatePem);
}
