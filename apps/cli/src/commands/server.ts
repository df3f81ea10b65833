/** `godwit server …` */
import { stat } from "node:fs/promises";
import { isIP } from "node:net";
import { GodwitError } from "@godwit/contract/errors";
import type { ServerOptions } from "@godwit/server";
import { usualFenceFolder } from "@godwit/server/data-paths";
import { buildCommand, buildRouteMap } from "@stricli/core";
import { defaultDataFolder, defaultServerPort } from "../connection.ts";
import { writeLine } from "../output/screen.ts";
import { requireRoot } from "../require-root.ts";
import { giveToServer, requireService, startService } from "../service.ts";
import { summaries } from "../summaries.ts";
import { authorityRoutes } from "./server/authority.ts";
import { backupCommand, restoreCommand } from "./server/backup.ts";
import {
  certificateRoutes,
  dataFlag,
  givenNames,
  namesFlags,
  type NamesFlags,
} from "./server/certificate.ts";

type ListenAddress = ServerOptions["listen"][number];

const init = buildCommand({
  docs: {
    brief: "Create a server: the cluster's certificate authority, the server's certificate, the admin token",
    fullDescription: `The certificate has the names and addresses by which clients call the server: those that you give, or else this
machine's full name and all its addresses. Installed from a package, the server is started.

With --adopt it takes the place of a server that was lost without a backup: hosts join it with godwit host join --adopt,
and godwit vm register-all finds their VMs, which run on.

Examples:
  godwit server init
  godwit server init --name godwit.example.com --address 10.0.1.2`,
  },
  parameters: {
    flags: {
      data: dataFlag,
      adopt: { kind: "boolean", default: false, brief: "Tell the steps for hosts that had another server" },
      ...namesFlags,
    },
  },
  async func(flags: { data: string; adopt: boolean } & NamesFlags) {
    requireRoot("Creating a server");
    const given = await givenNames(flags);
    requireService("godwit-server");
    const { initServer, ownNames } = await import("@godwit/server");
    const names = given ?? (await ownNames());
    const paths = await initServer(flags.data, names);
    writeLine(`The server is created in ${flags.data}.`);
    writeLine(`  admin token            ${paths.adminToken}`);
    writeLine(`  CA certificate         ${paths.caCertificate}`);
    writeLine(`  names and addresses    ${[...names.names, ...names.addresses].join(", ") || "localhost"}`);
    const isService = flags.data === defaultDataFolder;
    if (isService) await giveToServer(flags.data);
    const started = isService && (await startService("godwit-server"));
    writeLine(
      started ? "It runs: godwit host token makes tokens for hosts." : "Start it with: godwit server run",
    );
    if (flags.adopt) {
      writeLine(
        "It does not know the hosts of the server before, nor do they know it. Make sure that that one is off. Then:",
      );
      writeLine("  1. for each host, here      godwit host token");
      writeLine("  2. on each host             godwit host join --adopt --server URL --token TOKEN");
      writeLine("  3. when all have joined     godwit vm register-all");
      writeLine(
        "Each host keeps its name, by which its leases are known. VMs run on; nothing starts twice: leases are the hosts'.",
      );
    }
    writeLine("From another machine, with copies of both files:");
    writeLine(
      `  export GODWIT_SERVER=https://${names.names[0] ?? names.addresses[0] ?? "ADDRESS"}:8443 GODWIT_CA=ca-cert.pem GODWIT_TOKEN_FILE=admin-token`,
    );
  },
});

const runCommand = buildCommand({
  docs: {
    brief: "Run the server",
    fullDescription: `The server uses the PostgreSQL database of GODWIT_DATABASE_URL or, without it, a private one in its data folder.

Example: godwit server run --listen 0.0.0.0:8443`,
  },
  parameters: {
    flags: {
      data: dataFlag,
      listen: {
        kind: "parsed",
        parse: parseListen,
        brief: "ADDRESS:PORT, or fd:N for an inherited socket",
        variadic: true,
        default: [`0.0.0.0:${String(defaultServerPort)}`],
      },
      certificateLife: {
        kind: "parsed",
        parse: parseLife,
        brief: "How long a host's certificate counts before it must be renewed, like 30d or 12h",
        default: "30d",
      },
      fenceFolder: {
        kind: "parsed",
        parse: String,
        brief: "Where the programs are that fence hosts at datastores",
        default: usualFenceFolder,
      },
    },
  },
  async func(flags: {
    data: string;
    listen: readonly ListenAddress[];
    certificateLife: number;
    fenceFolder: string;
  }) {
    await requireDataFolder(flags.data);
    const [{ runServer }, { endSignal, roleLog, notifyReady }] = await Promise.all([
      import("@godwit/server"),
      import("../roles.ts"),
    ]);
    const log = roleLog("server");
    const { GODWIT_DATABASE_URL: databaseUrl } = process.env;
    const { data: dataFolder, fenceFolder, listen, certificateLife: certificateDays } = flags;
    const options = { dataFolder, fenceFolder, listen, certificateDays, databaseUrl, log };
    await runServer(options, endSignal(), () => {
      notifyReady(log);
    });
    process.exit(0); // idle connections may still be open
  },
});

/** Root may do all of it. Whoever else runs the server must own its folder. @throws USAGE */
async function requireDataFolder(folder: string): Promise<void> {
  if (process.getuid?.() === 0) return;
  const { uid } = await stat(folder).catch(() => ({ uid: 0 }));
  if (uid === process.getuid?.()) return;
  throw GodwitError.of("USAGE", {
    what: `The server's folder ${folder} does not belong to the user that is to run the server.`,
    hint: "Run the server as root, or give the folder away: chown --recursive USER: FOLDER (the service godwit-server does that itself).",
  });
}

const daysOf = { d: 1, h: 1 / 24, m: 1 / 1440, s: 1 / 86_400 } as const;

/** @returns days. @throws USAGE */
function parseLife(text: string): number {
  const [, number, unit] = /^(\d{1,5})([dhms])$/.exec(text) ?? [];
  if (number === undefined || Number(number) === 0) {
    throw GodwitError.of("USAGE", {
      what: `"${text}" is not a time that a certificate can count.`,
      hint: "Write a number with its unit, like 30d or 12h.",
    });
  }
  return Number(number) * daysOf[unit as keyof typeof daysOf];
}

/** @throws USAGE */
function parseListen(text: string): ListenAddress {
  const fd = /^fd:(\d+)$/.exec(text)?.[1];
  if (fd !== undefined) return { fd: Number(fd) };
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || isIP(host) === 0 || port > 65_535) {
    throw GodwitError.of("USAGE", {
      what: `"${text}" is not an address to listen on.`,
      hint: "Write ADDRESS:PORT, like 0.0.0.0:8443 or [::]:8443.",
    });
  }
  return { host, port };
}

export const serverRoutes = buildRouteMap({
  routes: {
    init,
    run: runCommand,
    certificate: certificateRoutes,
    ca: authorityRoutes,
    backup: backupCommand,
    restore: restoreCommand,
  },
  defaultCommand: "run",
  docs: { brief: summaries.server.brief },
});
