/**
 * Which server the commands talk to, in this order: the environment (GODWIT_SERVER with GODWIT_CA and
 * GODWIT_TOKEN or GODWIT_TOKEN_FILE), a lab by GODWIT_LAB, the server on this machine, its only lab. The client
 * is loaded once a server is found, so that commands can import this file and still start at once.
 */
import { readFile } from "node:fs/promises";
import type { Client } from "@godwit/client";
import type { ServerOperations } from "@godwit/contract/calling";
import { GodwitError } from "@godwit/contract/errors";
import { labFolder, listLabs } from "@godwit/lab/names";
import { dataPaths, serverName } from "@godwit/server/data-paths";
import { readFileOrNull } from "@godwit/system/files";
import { version } from "@godwit/system/version";

export type Api = Client<ServerOperations>;

export const defaultDataFolder = "/var/lib/godwit/server";
export const defaultServerPort = 8443;

interface Place {
  url: string;
  caFile: string;
  token: string;
}

/** @throws USAGE when no server can be found; FILE_UNREADABLE */
async function connect(): Promise<Api> {
  const { url, caFile, token } = await findServer();
  const [{ Client }, { loadServerOperation, spokenProtocol }] = await Promise.all([
    import("@godwit/client"),
    import("@godwit/contract/calling"),
  ]);
  return new Client<ServerOperations>(loadServerOperation, {
    baseUrl: url,
    tls: { ca: await read(caFile), servername: serverName, unit: "server" },
    token,
    hello: { software: version, protocol: spokenProtocol },
  });
}

/** Runs something with a connection and closes it. */
export async function withApi<T>(use: (api: Api) => Promise<T>): Promise<T> {
  const api = await connect();
  try {
    return await use(api);
  } finally {
    await api.close();
  }
}

async function findServer(): Promise<Place> {
  const { GODWIT_SERVER: url, GODWIT_LAB: lab } = process.env;
  if (url !== undefined) return await fromEnvironment(url);
  if (lab !== undefined) return await ofLab(lab);
  const token = await readFileOrNull(dataPaths(defaultDataFolder).adminToken).catch(() => null);
  if (token !== null) {
    const caFile = dataPaths(defaultDataFolder).caCertificate;
    return { url: `https://127.0.0.1:${String(defaultServerPort)}`, caFile, token: token.trim() };
  }
  const labs = await listLabs();
  if (labs.length === 1 && labs[0] !== undefined) return await ofLab(labs[0]);
  throw GodwitError.of("USAGE", {
    what:
      labs.length > 1
        ? `There are several labs on this machine (${labs.join(", ")}) and no server is named.`
        : "There is no Godwit server on this machine and none is named.",
    hint:
      labs.length > 1
        ? "Choose one: export GODWIT_LAB=ID"
        : "Name one: export GODWIT_SERVER=https://ADDRESS:8443 GODWIT_CA=FILE GODWIT_TOKEN_FILE=FILE; or try ./godwit quickstart --keep",
  });
}

async function fromEnvironment(url: string): Promise<Place> {
  const { GODWIT_CA: caFile, GODWIT_TOKEN: token, GODWIT_TOKEN_FILE: tokenFile } = process.env;
  if (!URL.canParse(url)) {
    throw GodwitError.of("USAGE", {
      what: `GODWIT_SERVER is not a URL: ${url}`,
      hint: "Write https://ADDRESS:8443",
    });
  }
  if (caFile === undefined || (token === undefined && tokenFile === undefined)) {
    throw GodwitError.of("USAGE", {
      what: "GODWIT_SERVER is set, but GODWIT_CA or the token (GODWIT_TOKEN or GODWIT_TOKEN_FILE) is not.",
      hint: "godwit server init prints where both files are.",
    });
  }
  return { url, caFile, token: token ?? (await read(tokenFile ?? "")).trim() };
}

async function ofLab(id: string): Promise<Place> {
  const { readLabFile } = await import("@godwit/lab/lab-file");
  const { apiPort } = await readLabFile(id);
  const paths = dataPaths(`${labFolder(id)}/server`);
  return {
    url: `https://127.0.0.1:${String(apiPort)}`,
    caFile: paths.caCertificate,
    token: (await read(paths.adminToken)).trim(),
  };
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw GodwitError.of("FILE_UNREADABLE", { path, reason }, { cause: error });
  }
}
