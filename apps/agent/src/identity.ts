/** The agent's certificates, as `host join` wrote them. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { readFileOrNull } from "@godwit/system";
import { z } from "zod";
import { pkiFolder, type AgentConfig } from "./config.ts";

export interface AgentIdentity {
  caPem: string;
  certificatePem: string;
  keyPem: string;
  /** The name in the server's certificate. */
  serverName: string;
}

export const identityFiles = {
  ca: "ca-cert.pem",
  certificate: "host-cert.pem",
  key: "host-key.pem",
  server: "server.json",
} as const;

export const serverFileSchema = z.object({ serverName: z.string() });

/** @throws USAGE when the host has not joined */
export async function readIdentity(config: AgentConfig): Promise<AgentIdentity> {
  const folder = pkiFolder(config);
  const server = await readFileOrNull(join(folder, identityFiles.server));
  if (server === null) {
    throw GodwitError.of("USAGE", {
      what: `Host ${config.name} has not joined a Godwit server yet.`,
      hint: "Make a token with godwit host token on the server, then: godwit host join --token TOKEN",
    });
  }
  const read = async (name: string) => await readFile(join(folder, name), "utf8");
  return {
    caPem: await read(identityFiles.ca),
    certificatePem: await read(identityFiles.certificate),
    keyPem: await read(identityFiles.key),
    serverName: serverFileSchema.parse(JSON.parse(server)).serverName,
  };
}
