/** `godwit datastore upload` */
import { basename } from "node:path";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { formatBytes, formatMs } from "../../output/format.ts";
import { StatusLine, writeJson, writeLine } from "../../output/screen.ts";
import { hostFlag, jsonFlag, type JsonFlags } from "../common.ts";

export const uploadCommand = buildCommand({
  docs: {
    brief: "Upload a file of this machine to a datastore",
    fullDescription: `An ISO, a disk image, or what is to be imported. A host writes it that can use the datastore, or --host. It has its name when it is whole;
a file that is there already is never replaced. Folders are made where they are missing.

Examples:
  godwit datastore upload debian-12.iso vms:isos/
  godwit datastore upload web-1.ova vms:import/web-1.ova --json`,
  },
  parameters: {
    flags: { json: jsonFlag, host: hostFlag("that writes it") },
    positional: {
      kind: "tuple",
      parameters: [
        { parse: String, brief: "A file of this machine", placeholder: "FILE" },
        {
          parse: String,
          brief: "Where to: DATASTORE:PATH, DATASTORE:FOLDER/ or DATASTORE:",
          placeholder: "PLACE",
        },
      ],
    },
  },
  async func(flags: JsonFlags & { host?: string }, file: string, place: string) {
    const { datastore, path } = placeOf(place, file);
    const { upload } = await import("../../upload.ts");
    const status = new StatusLine();
    const begunMs = performance.now();
    const onTaken = (taken: number, of: number) => {
      const perMs = taken / (performance.now() - begunMs);
      status.update(
        `${datastore}:${path} · ${((100 * taken) / Math.max(1, of)).toFixed(0)} % · ${formatBytes(taken)} of ${formatBytes(of)} · ${formatBytes(perMs * 1000)}/s · ETA ${formatMs((of - taken) / perMs)}`,
      );
    };
    const done = await withApi((api) =>
      upload(api, file, { datastore, path, host: flags.host }, onTaken),
    ).finally(() => {
      status.clear();
    });
    if (flags.json) writeJson({ datastore, path, ...done });
    else
      writeLine(
        `${file} is on ${datastore} as ${path} (${formatBytes(done.bytes)}, sha256:${done.sha256}), written by host ${done.host}.`,
      );
  },
});

/** @throws USAGE */
function placeOf(place: string, file: string): { datastore: string; path: string } {
  const [, datastore, path] = /^([^:/]+):(.*)$/.exec(place) ?? [];
  if (datastore === undefined || path === undefined)
    throw GodwitError.of("USAGE", {
      what: `${place} names no place on a datastore.`,
      hint: "Name it as DATASTORE:PATH, as in vms:isos/debian-12.iso",
    });
  return { datastore, path: path === "" || path.endsWith("/") ? `${path}${basename(file)}` : path };
}
