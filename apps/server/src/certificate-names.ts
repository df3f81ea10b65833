/** The names and addresses by which clients call the server: its certificate has them, so that any HTTPS client checks it. */
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import { readFileOrNull, run, writeFileAtomic } from "@godwit/system";
import { z } from "zod";

const namesSchema = z.object({ names: z.array(z.string()), addresses: z.array(z.string()) });
export type CertificateNames = z.infer<typeof namesSchema>;

const fileIn = (folder: string): string => join(folder, "pki/names.json");

/** What every certificate of a server has beside. */
const loopback = { names: ["localhost"], addresses: ["127.0.0.1", "::1"] };

/** @returns for a server that was made before there was this file, none but loopback's */
export async function readCertificateNames(folder: string): Promise<CertificateNames> {
  const text = await readFileOrNull(fileIn(folder));
  const read = text === null ? undefined : namesSchema.safeParse(JSON.parse(text));
  const { names, addresses } = read?.data ?? { names: [], addresses: [] };
  return {
    names: [...new Set([...names, ...loopback.names])],
    addresses: [...new Set([...addresses, ...loopback.addresses])],
  };
}

export async function writeCertificateNames(folder: string, names: CertificateNames): Promise<void> {
  await writeFileAtomic(fileIn(folder), `${JSON.stringify(names, null, 2)}\n`);
}

/** This machine's host name, its full name, and all its addresses but loopback's and link-local ones. */
export async function ownNames(): Promise<CertificateNames> {
  const { stdout } = await run("hostname", ["--fqdn"], {
    what: "looking for this machine's full name",
    okCodes: [0, 1],
  }).catch(() => ({ stdout: "" }));
  const names = [stdout.trim(), hostname()].filter((name) => isHostName(name) && name !== "localhost");
  const addresses = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ internal, address }) => !internal && !/^(fe80:|169\.254\.)/i.test(address))
    .map(({ address }) => address);
  return { names: [...new Set(names)], addresses: [...new Set(addresses)] };
}

export const isHostName = (text: string): boolean =>
  text.length <= 253 &&
  isIP(text) === 0 &&
  /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/.test(text);
