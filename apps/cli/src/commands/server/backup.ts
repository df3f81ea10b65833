/** `godwit server backup` and `godwit server restore` */
import { readFile } from "node:fs/promises";
import { GodwitError } from "@godwit/contract/errors";
import type { BackupKey } from "@godwit/server";
import { buildCommand } from "@stricli/core";
import { defaultDataFolder } from "../../connection.ts";
import { isPackaged } from "../../installation.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { requireRoot } from "../../require-root.ts";
import { databaseUrlOf } from "../../server-settings.ts";
import { giveToServer } from "../../service.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";
import { dataFlag } from "./certificate.ts";

const passphraseFlag = {
  kind: "parsed",
  parse: String,
  optional: true,
  brief: "A file whose first line is the backup's passphrase",
} as const;

export const backupCommand = buildCommand({
  docs: {
    brief:
      "Back up the server while it runs: database, certificate authority, settings, in one encrypted file",
    fullDescription: `The file is one of age (https://age-encryption.org). Make a key pair with age-keygen, on another machine, and keep the
identity there: the server needs only the recipient. Or give a passphrase. The file has the cluster's authority
in it: who can open it can be the server.

A server that is installed from a package makes a backup each night once BACKUP_OPTIONS is set in
/etc/default/godwit-server.

Examples:
  godwit server backup --recipient age1… --to /mnt/backups --keep 14
  godwit server backup --passphrase-file /root/passphrase --to /mnt/backups`,
  },
  parameters: {
    flags: {
      data: dataFlag,
      to: {
        kind: "parsed",
        parse: String,
        brief: "The folder that gets the file",
        default: "/var/backups/godwit",
      },
      recipient: {
        kind: "parsed",
        parse: String,
        variadic: true,
        optional: true,
        brief: "Whose identity opens it: age1…",
      },
      passphraseFile: passphraseFlag,
      keep: {
        kind: "parsed",
        parse: parseKeep,
        optional: true,
        brief: "How many backups are kept in the folder; older ones are removed",
      },
      json: jsonFlag,
    },
  },
  async func(flags: BackupFlags) {
    const key = await backupKeyOf(flags);
    const { backUpServer } = await import("@godwit/server");
    const databaseUrl = await databaseUrlOf(flags.data);
    const made = await backUpServer({
      ...{ dataFolder: flags.data, to: flags.to, key, keep: flags.keep ?? null, databaseUrl },
    });
    if (flags.json) writeJson(made);
    else writeLine(`${made.file} (${String(Math.ceil(made.bytes / 1024))} KiB)`);
  },
});

interface BackupFlags extends JsonFlags {
  data: string;
  to: string;
  recipient?: readonly string[];
  passphraseFile?: string;
  keep?: number;
}

export const restoreCommand = buildCommand({
  docs: {
    brief: "Make a server from a backup, in a folder that holds none",
    fullDescription: `Make sure that the server the backup was made of does not run any more: its machine is off, or its folder moved away.
Tasks that were under way then are ended, VMs that ran are lost until a host tells where they are, and tokens
count no more. The server is not started.

Examples:
  godwit server restore /mnt/backups/godwit-2026-11-28T02-10-00.000Z.age --identity key.txt
  godwit server restore backup.age --passphrase-file /root/passphrase`,
  },
  parameters: {
    flags: {
      data: dataFlag,
      identity: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "A file with the identity, as age-keygen writes it",
      },
      passphraseFile: passphraseFlag,
      json: jsonFlag,
    },
    positional: {
      kind: "tuple",
      parameters: [{ brief: "The backup", placeholder: "file", parse: String }],
    },
  },
  async func(flags: RestoreFlags, file: string) {
    requireRoot("Restoring a server");
    const key = await restoreKeyOf(flags);
    const { databaseUser, restoreServer } = await import("@godwit/server");
    const databaseUrl = await databaseUrlOf(flags.data);
    const { ensureUser } = await import("@godwit/system");
    if (!isPackaged && databaseUrl === undefined) await ensureUser(databaseUser);
    const state = await restoreServer({
      ...{ file, dataFolder: flags.data, key, databaseUrl },
      // The service runs it as its own user.
      databaseUser: isPackaged ? "godwit" : databaseUser,
      beforeUse: flags.data === defaultDataFolder ? giveToServer : async () => undefined,
    });
    if (flags.json) {
      writeJson(state);
      return;
    }
    writeLine(
      `The server is restored in ${flags.data}, as it was at ${state.madeAt} (Godwit ${state.version}).`,
    );
    writeLine(`  VMs        ${String(state.vms)}`);
    writeLine(`  hosts      ${state.hosts.join(", ") || "none"}`);
    for (const { kind, subject, id } of state.interrupted)
      writeLine(`  ended      task ${id} (${kind} of ${subject}), which was under way then`);
    writeLine("Make sure that the server before does not run. Then start it: systemctl start godwit-server");
    writeLine("Then look at what has changed since the backup:");
    writeLine("  hosts removed since    godwit host remove NAME --force");
    writeLine("  hosts joined since     godwit host token; godwit host join on the host");
    writeLine("  VMs created since      godwit vm register-all");
    writeLine("  VMs deleted since      godwit vm unregister NAME");
  },
});

interface RestoreFlags extends JsonFlags {
  data: string;
  identity?: string;
  passphraseFile?: string;
}

/** @throws USAGE */
async function backupKeyOf({ recipient, passphraseFile }: BackupFlags): Promise<BackupKey> {
  if ((recipient === undefined) === (passphraseFile === undefined)) {
    throw GodwitError.of("USAGE", {
      what: "A backup is made for recipients or for a passphrase.",
      hint: "Write --recipient age1… (age-keygen makes one), or --passphrase-file FILE.",
    });
  }
  return recipient === undefined ? await passphraseOf(passphraseFile ?? "") : { recipients: recipient };
}

/** @throws USAGE */
async function restoreKeyOf({ identity, passphraseFile }: RestoreFlags): Promise<BackupKey> {
  if ((identity === undefined) === (passphraseFile === undefined)) {
    throw GodwitError.of("USAGE", {
      what: "A backup is opened with an identity or with a passphrase.",
      hint: "Write --identity FILE, or --passphrase-file FILE.",
    });
  }
  if (identity === undefined) return await passphraseOf(passphraseFile ?? "");
  const lines = (await readGiven(identity)).split("\n").map((line) => line.trim());
  return { identities: lines.filter((line) => line !== "" && !line.startsWith("#")) };
}

async function passphraseOf(file: string): Promise<BackupKey> {
  const [passphrase = ""] = (await readGiven(file)).split("\n");
  if (passphrase.length < 12) {
    throw GodwitError.of("USAGE", {
      what: `The passphrase in ${file} is shorter than 12 characters.`,
      hint: "Write a longer one; whoever opens a backup can be the cluster's server.",
    });
  }
  return { passphrase };
}

async function readGiven(file: string): Promise<string> {
  return await readFile(file, "utf8").catch((error: unknown) => {
    throw GodwitError.of("USAGE", {
      what: `${file} cannot be read: ${(error as Error).message}.`,
      hint: "Name a file that there is, and that you may read.",
    });
  });
}

/** @throws USAGE */
function parseKeep(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw GodwitError.of("USAGE", {
    what: `"${text}" is not a number of backups.`,
    hint: "Write a whole number from 1 on, like --keep 14.",
  });
}
