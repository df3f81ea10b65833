/**
 * `npm run rack -- up|down|status|console|run|power|reset|cable|clock`: for developers. A command of the checkout, not of
 * `godwit`: it makes Debian roots and installs what `npm run package` makes, which a packaged Godwit has neither of.
 */
import { GodwitError } from "@godwit/contract";
import { readArguments } from "../scripts/options.ts";
import { attach } from "./src/console.ts";
import { networkNames, type Network } from "./src/networks.ts";
import { listRacks } from "./src/rack-file.ts";
import { Rack, removeRack } from "./src/rack.ts";
import { defaultServers, storageServer } from "./src/server-spec.ts";

const usage = `usage:
npm run rack -- up [--id main] [--servers 2] [--trixie NAME]… [--storage] [--installed]
                  [--memory 2048] [--nice 5]      --installed: with the packages of npm run package
npm run rack -- status [--json]
npm run rack -- console SERVER               the serial console; Ctrl-] leaves
npm run rack -- [--id main] run SERVER PROGRAM [ARGS]…
npm run rack -- power SERVER on|off          cut the power, or switch it on
npm run rack -- reset SERVER
npm run rack -- cable SERVER NETWORK pull|plug|cut-sending|restore-sending
npm run rack -- clock SERVER SECONDS         set its clock ahead of this machine's
npm run rack -- down [--id main]`;

// What follows the server's name is the program's, also what looks like an option.
const ran = process.argv.indexOf("run", 2);
if (ran !== -1) process.argv.splice(ran + 2, 0, "--");

const { values, positionals } = readArguments(usage, {
  id: { type: "string", default: "main" },
  servers: { type: "string", default: "2" },
  trixie: { type: "string", multiple: true, default: [] },
  storage: { type: "boolean", default: false },
  installed: { type: "boolean", default: false },
  memory: { type: "string", default: "2048" },
  nice: { type: "string", default: "5" },
  json: { type: "boolean", default: false },
});
const [command = "help", name = "", ...rest] = positionals;
const began = performance.now();
const write = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const say = (text: string): void => {
  write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}`);
};

const server = async () => {
  const rack = await Rack.open(values.id);
  const found = rack.servers.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw GodwitError.of("USAGE", {
    what: `The rack ${values.id} has no server ${name}.`,
    hint: `It has ${rack.servers.map((one) => one.name).join(", ")}.`,
  });
};

const network = (word: string): Network => {
  const found = networkNames.find((one) => one === word);
  if (found !== undefined) return found;
  throw GodwitError.of("USAGE", {
    what: `There is no network ${word}.`,
    hint: `Use ${networkNames.join(", ")}.`,
  });
};

const commands: Readonly<Record<string, () => Promise<void>>> = {
  up: async () => {
    const memoryMib = Number(values.memory);
    const hosts = defaultServers(Number(values.servers), { memoryMib, trixie: values.trixie });
    const servers = values.storage ? [storageServer(memoryMib), ...hosts] : hosts;
    const rack = await Rack.up({
      id: values.id,
      servers,
      nice: Number(values.nice),
      installed: values.installed,
      onStep: say,
    });
    say(`rack ${rack.id} is up: ${rack.servers.map((one) => one.name).join(", ")}`);
  },
  status: async () => {
    const racks = await Promise.all(
      (await listRacks()).map(async (id) => ({
        id,
        servers: await Promise.all(
          (await Rack.open(id)).servers.map(async (one) => ({
            ...one.spec,
            on: await one.isOn(),
            address: one.address("management"),
          })),
        ),
      })),
    );
    if (values.json) write(JSON.stringify(racks, null, 2));
    else if (racks.length === 0) write("There is no rack on this machine; npm run rack -- up makes one.");
    for (const { id, servers } of values.json ? [] : racks) {
      for (const one of servers) {
        write(`${id}  ${one.name}  ${one.suite}  ${one.cpu}  ${one.address}  ${one.on ? "on" : "off"}`);
      }
    }
  },
  console: async () => {
    await attach((await server()).files);
  },
  run: async () => {
    const { exitCode, stdout, stderr } = await (await server()).try(...rest);
    if (stdout !== "") write(stdout);
    if (stderr !== "") process.stderr.write(`${stderr}\n`);
    process.exitCode = exitCode;
  },
  power: async () => {
    const one = await server();
    if (rest[0] === "on") await one.powerOn();
    else if (rest[0] === "off") await one.powerOff();
    else throw wrongUsage();
  },
  reset: async () => {
    await (await server()).reset();
  },
  cable: async () => {
    const one = await server();
    const [where = "", what = ""] = rest;
    if (what === "pull" || what === "plug") await one.setCable(network(where), what === "plug");
    else if (what === "cut-sending" || what === "restore-sending")
      await one.setSending(network(where), what === "restore-sending");
    else throw wrongUsage();
  },
  clock: async () => {
    await (await server()).setClock(Number(rest[0] ?? "0") * 1000);
  },
  down: async () => {
    await removeRack(values.id);
    write(`Rack ${values.id} is removed.`);
  },
  help: async () => {
    write(usage);
  },
};

const wrongUsage = (): GodwitError =>
  GodwitError.of("USAGE", {
    what: `npm run rack -- ${positionals.join(" ")} is not understood.`,
    hint: usage,
  });

try {
  const run = commands[command];
  if (run === undefined) throw wrongUsage();
  await run();
} catch (error) {
  if (!GodwitError.is(error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = GodwitError.is(error, "USAGE") ? 2 : 1;
}
