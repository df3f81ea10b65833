/** The server that is measured, as a process of its own. Arguments: data folder, port. */
import { runServer } from "@godwit/server";
import { pino } from "pino";

const [dataFolder = "", port = ""] = process.argv.slice(2);
const over = new AbortController();
process.once("disconnect", () => {
  over.abort();
});
await runServer(
  {
    dataFolder,
    log: pino({ level: "warn" }, pino.destination(2)),
    listen: [{ host: "127.0.0.1", port: Number(port) }],
  },
  over.signal,
  () => {
    process.send?.("ready");
  },
);
process.exit(0);
