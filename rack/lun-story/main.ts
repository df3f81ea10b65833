/**
 * `npm run rack:lun [-- --json FILE]`: hosts that share a LUN by their kernels' iSCSI, a VM with a volume on it, and what the
 * handbook says of that. Servers come with the packages of `npm run package`. Needs root, and Debian's mirror the first time.
 */
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { buildGuest } from "@godwit/lab";
import { readOptions } from "../../scripts/options.ts";
import { listRacks } from "../src/rack-file.ts";
import { Rack, removeRack } from "../src/rack.ts";
import { runInside } from "../src/run-inside.ts";
import { defaultServers, storageServer } from "../src/server-spec.ts";

const values = readOptions(
  `usage: npm run rack:lun -- [--json FILE] [--multipath] [--reservations] [--id lun] [--memory 2048] [--nice 5] [--keep]
--multipath gives the hosts two paths to the LUN, and cuts one under the running VM.
--reservations tells only of persistent reservations: hosts reach the LUN over another network than their datastore with VMs' folders.
--keep leaves the rack up; the next story goes on with what is done there.`,
  {
    json: { type: "string" },
    multipath: { type: "boolean", default: false },
    reservations: { type: "boolean", default: false },
    id: { type: "string", default: "lun" },
    memory: { type: "string", default: "2048" },
    nice: { type: "string", default: "5" },
    keep: { type: "boolean", default: false },
  },
);
const began = performance.now();
const say = (text: string): void => {
  process.stdout.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
};

try {
  await buildGuest(say);
  if (!(await listRacks()).includes(values.id)) {
    const memoryMib = Number(values.memory);
    const servers = [storageServer(memoryMib), ...defaultServers(2, { memoryMib })];
    await Rack.up({ id: values.id, servers, nice: Number(values.nice), installed: true, onStep: say });
  }
  const options = [
    "--id",
    values.id,
    ...(values.multipath ? ["--multipath"] : []),
    ...(values.reservations ? ["--reservations"] : []),
    ...(values.json === undefined ? [] : ["--json", values.json]),
  ];
  process.exitCode = await runInside(values.id, join(import.meta.dirname, "inside.ts"), options);
} catch (error) {
  if (!GodwitError.is(error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  if (!values.keep) await removeRack(values.id);
}
