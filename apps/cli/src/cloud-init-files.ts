/**
 * What a new VM's guest is to be told by cloud-init, from flags and the files that they name. What cloud-init would pass over
 * in silence, a text that begins like none of its formats or YAML that is none, is refused here.
 */
import { open } from "node:fs/promises";
import { cloudInitSchema, GodwitError, mostCloudInitBytes, type CloudInit } from "@godwit/contract";
import { parseDocument } from "yaml";

export interface CloudInitFlags {
  sshKey?: readonly string[];
  userData?: string;
  hostname?: string;
  networkConfig?: string;
}

/** @returns undefined: nothing is to be told. @throws FILE_UNREADABLE, USAGE */
export async function readCloudInit({
  sshKey = [],
  userData,
  hostname,
  networkConfig,
}: CloudInitFlags): Promise<CloudInit | undefined> {
  if (sshKey.length === 0 && [userData, hostname, networkConfig].every((flag) => flag === undefined))
    return undefined;
  const keys: string[] = [];
  for (const path of sshKey) keys.push(...sshKeysIn(await read(path), path));
  return checked({
    ...(hostname === undefined ? {} : { hostname }),
    ...(keys.length === 0 ? {} : { sshKeys: [...new Set(keys)] }),
    ...(userData === undefined ? {} : { userData: userDataIn(await read(userData), userData) }),
    ...(networkConfig === undefined
      ? {}
      : { networkConfig: networkConfigIn(await read(networkConfig), networkConfig) }),
  });
}

/** Public keys as in a `.pub` file or in `authorized_keys`. @throws USAGE */
export function sshKeysIn(text: string, path: string): string[] {
  const hint = "Name the file with the public key, like ~/.ssh/id_ed25519.pub";
  if (text.includes("PRIVATE KEY"))
    throw GodwitError.of("USAGE", { what: `--ssh-key: ${path} has a private key, which no VM needs.`, hint });
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const keys = lines.filter((line) => line !== "" && !line.startsWith("#"));
  if (keys.length === 0)
    throw GodwitError.of("USAGE", { what: `--ssh-key: there is no key in ${path}.`, hint });
  return keys;
}

/** What user data begin with, of all that cloud-init reads. */
const userDataStart =
  /^(?:#cloud-config|#!|#include|#cloud-boothook|#part-handler|## template: *jinja|Content-Type:|MIME-Version:)/i;

/** @throws USAGE */
export function userDataIn(text: string, path: string): string {
  if (!userDataStart.test(text))
    throw GodwitError.of("USAGE", {
      what: `--user-data: cloud-init would pass over ${path}: its first line says no format that cloud-init knows.`,
      hint: "Begin it with #cloud-config (YAML) or #!/bin/sh (a script).",
    });
  if (/^#cloud-config(?!-)/i.test(text)) mustBeYaml(text, `--user-data: ${path}`, "map or nothing");
  return text;
}

/** @throws USAGE */
export function networkConfigIn(text: string, path: string): string {
  mustBeYaml(text, `--network-config: ${path}`, "map");
  return text;
}

/** The parser's words may repeat a line of the text, in which a secret may stand: only the place is told. */
function mustBeYaml(text: string, what: string, kind: "map" | "map or nothing"): void {
  const document = parseDocument(text, { prettyErrors: false });
  const [error] = document.errors;
  const hint = "Correct it; cloud-init schema --config-file FILE tells more where cloud-init is installed.";
  if (error !== undefined) {
    const line = text.slice(0, error.pos[0]).split("\n").length;
    throw GodwitError.of("USAGE", {
      what: `${what} is no YAML, at line ${String(line)} (${error.code}).`,
      hint,
    });
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch {
    throw GodwitError.of("USAGE", { what: `${what} has aliases in its YAML that cannot be followed.`, hint });
  }
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
  if (isMap || (kind === "map or nothing" && value === null)) return;
  throw GodwitError.of("USAGE", { what: `${what} is no YAML of keys and values.`, hint });
}

const flags: Readonly<Record<string, string>> = {
  hostname: "--hostname",
  sshKeys: "--ssh-key",
  userData: "--user-data",
  networkConfig: "--network-config",
};

function checked(cloudInit: CloudInit): CloudInit {
  const parsed = cloudInitSchema.safeParse(cloudInit);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path: [field = ""], message }) => `${flags[String(field)] ?? String(field)}: ${message}`,
  );
  throw GodwitError.of("USAGE", {
    what: `${problems.join("; ")}.`,
    hint: "godwit vm create --help has examples.",
  });
}

/** @throws FILE_UNREADABLE */
async function read(path: string): Promise<string> {
  const unreadable = (reason: string, cause?: unknown) =>
    GodwitError.of("FILE_UNREADABLE", { path, reason }, { cause });
  try {
    await using file = await open(path === "-" ? "/dev/stdin" : path, "r");
    const most = 4 * mostCloudInitBytes;
    let text = "";
    for await (const chunk of file.createReadStream({ encoding: "utf8", autoClose: false })) {
      text += String(chunk);
      if (text.length > most) throw unreadable(`it is larger than ${String(most / 1024)} KiB`);
    }
    return text;
  } catch (error) {
    if (GodwitError.is(error)) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw unreadable(code === "ENOENT" ? "it does not exist" : message, error);
  }
}
