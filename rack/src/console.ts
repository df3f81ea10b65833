/** A server's serial console on this terminal: what it wrote lately, then what it writes, until Ctrl-]. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import type { ServerFiles } from "./server-spec.ts";

const leave = 0x1d;
const tailBytes = 4096;

/** @throws Error when the server is off */
export async function attach({ serial, console: log }: ServerFiles): Promise<void> {
  const { stdin, stdout } = process;
  stdout.write((await readFile(log).catch(() => Buffer.alloc(0))).subarray(-tailBytes));
  const socket = connect(serial);
  await once(socket, "connect");
  if (stdin.isTTY) stdin.setRawMode(true);
  stdin.on("data", (keys: Buffer) => {
    const at = keys.indexOf(leave);
    socket.write(at === -1 ? keys : keys.subarray(0, at));
    if (at !== -1) socket.end();
  });
  stdin.on("end", () => socket.end());
  socket.pipe(stdout, { end: false });
  await once(socket, "close");
  if (stdin.isTTY) stdin.setRawMode(false);
  stdin.destroy();
}
