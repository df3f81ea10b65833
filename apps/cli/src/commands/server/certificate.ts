/** `godwit server certificate …`, and the flags that name the server. */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { GodwitError } from "@godwit/contract/errors";
import type { CertificateNames } from "@godwit/server";
import { buildCommand, buildRouteMap } from "@stricli/core";
import { defaultDataFolder } from "../../connection.ts";
import { writeLine } from "../../output/screen.ts";
import { requireRoot } from "../../require-root.ts";
import { startService } from "../../service.ts";

export const dataFlag = {
  kind: "parsed",
  parse: String,
  brief: "The server's data folder",
  default: defaultDataFolder,
} as const;

export const namesFlags = {
  name: {
    kind: "parsed",
    parse: String,
    variadic: true,
    optional: true,
    brief: "A DNS name by which clients call the server",
  },
  address: {
    kind: "parsed",
    parse: String,
    variadic: true,
    optional: true,
    brief: "An IP address by which clients call the server",
  },
} as const;

export interface NamesFlags {
  name?: readonly string[];
  address?: readonly string[];
}

/** @returns what was given; null: nothing was. @throws USAGE */
export async function givenNames({ name, address }: NamesFlags): Promise<CertificateNames | null> {
  if (name === undefined && address === undefined) return null;
  const { isHostName } = await import("@godwit/server");
  const names = [...(name ?? [])];
  const addresses = [...(address ?? [])];
  const wrong = names.find((one) => !isHostName(one)) ?? addresses.find((one) => isIP(one) === 0);
  if (wrong !== undefined) {
    throw GodwitError.of("USAGE", {
      what: `"${wrong}" is not a name or an address that a certificate can have.`,
      hint: "Write --name for DNS names, like --name godwit.example.com, and --address for IP addresses.",
    });
  }
  return { names, addresses };
}

const show = buildCommand({
  docs: {
    brief: "Show the server's certificate: its names and addresses, and until when it is valid",
    fullDescription: "Example: godwit server certificate show",
  },
  parameters: { flags: { data: dataFlag } },
  async func(flags: { data: string }) {
    requireRoot("The server's folder");
    const { openDataFolder } = await import("@godwit/server");
    const { server } = await openDataFolder(flags.data);
    const certificate = new X509Certificate(server.certificatePem);
    writeLine(`names and addresses  ${(certificate.subjectAltName ?? "").replaceAll("IP Address:", "IP:")}`);
    writeLine(`valid until          ${certificate.validToDate.toISOString()}`);
    writeLine(`SHA-256 fingerprint  ${certificate.fingerprint256}`);
  },
});

const renew = buildCommand({
  docs: {
    brief: "Issue a new certificate for the server, with other names and addresses if you give any",
    fullDescription: `Certificates renew themselves; this is for a server that clients call by other names than before.
A server that is installed from a package is restarted.

Example: godwit server certificate renew --name godwit.example.com --address 10.0.1.2`,
  },
  parameters: { flags: { data: dataFlag, ...namesFlags } },
  async func(flags: { data: string } & NamesFlags) {
    requireRoot("Renewing the server's certificate");
    const names = await givenNames(flags);
    const { renewServerCertificate } = await import("@godwit/server");
    await renewServerCertificate(flags.data, names);
    const restarted = flags.data === defaultDataFolder && (await startService("godwit-server"));
    writeLine(
      restarted
        ? "The certificate is renewed; the server uses it."
        : "The certificate is renewed. Restart the server.",
    );
  },
});

export const certificateRoutes = buildRouteMap({
  routes: { show, renew },
  docs: { brief: "The server's certificate: show, renew" },
});
