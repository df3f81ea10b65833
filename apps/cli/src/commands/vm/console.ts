/** `godwit vm console` */
import { buildCommand, numberParser } from "@stricli/core";
import { withApi } from "../../connection.ts";
import type { ConsoleFlags } from "../../console/attach.ts";
import { parseMs } from "../../output/format.ts";
import { vmArgument } from "../common.ts";

export const consoleCommand = buildCommand({
  docs: {
    brief: "Open a VM's serial console",
    fullDescription: `Your keys go to the VM; Ctrl-] disconnects. One user may type at a time; any number may watch (--read-only).
The console follows the VM when it moves to another host.

Standard input may be a pipe: its content is typed. The command ends when the pipe has ended and the VM has written
nothing for the --linger time.

Examples:
  godwit vm console web-1
  godwit vm console web-1 --read-only --tail 64
  godwit vm console web-1 --log
  echo uptime | godwit vm console web-1`,
  },
  parameters: {
    flags: {
      readOnly: { kind: "boolean", brief: "Only watch; another user may type", default: false },
      log: { kind: "boolean", brief: "Print the recent output and exit", default: false },
      force: { kind: "boolean", brief: "Disconnect the user who has the console", default: false },
      tail: {
        kind: "parsed",
        parse: numberParser,
        brief: "KiB of recent output to show first (default: 16 on a terminal and with --log, else 0)",
        optional: true,
      },
      linger: {
        kind: "parsed",
        parse: parseMs,
        brief: "How long to wait for output after the end of piped input",
        default: "1s",
      },
    },
    positional: vmArgument,
  },
  async func(flags: ConsoleFlags, vm: string) {
    const { attach } = await import("../../console/attach.ts");
    await withApi((api) => attach(api, vm, flags));
  },
});
