/** `godwit quickstart` */
import { randomBytes } from "node:crypto";
import { buildCommand } from "@stricli/core";
import { StatusLine, writeLine } from "../output/screen.ts";
import { requireRoot } from "../require-root.ts";

export const quickstartCommand = buildCommand({
  docs: {
    brief: "Try it: two hosts on this machine, and a VM that moves between them under load",
    fullDescription: `Installs what is missing, makes a lab of two hosts, boots a VM with a real database, and moves it from a to b
and back while a client writes to it. Everything is removed again, unless --keep.

Examples:
  sudo ./godwit quickstart
  sudo ./godwit quickstart --keep --json result.json`,
  },
  parameters: {
    flags: {
      keep: { kind: "boolean", brief: "Leave the lab running", default: false },
      json: { kind: "parsed", parse: String, brief: "Write the result to this file too", optional: true },
      id: { kind: "parsed", parse: String, brief: "Name of the lab", optional: true },
    },
  },
  async func(flags: { keep: boolean; json?: string; id?: string }) {
    requireRoot("The quickstart makes network namespaces and");
    const [{ quickstart }, { reportText }, { setup }] = await Promise.all([
      import("../quickstart/quickstart.ts"),
      import("../quickstart/report.ts"),
      import("../setup/setup.ts"),
    ]);
    const status = new StatusLine();
    const changed = await setup(status);
    status.line(changed ? "setup: done" : "setup: nothing to install");
    const { report, hints } = await quickstart(
      {
        id: flags.id ?? (flags.keep ? "main" : `q${randomBytes(3).toString("hex")}`),
        keep: flags.keep,
        ...(flags.json === undefined ? {} : { jsonFile: flags.json }),
      },
      status,
    );
    writeLine(reportText(report));
    for (const line of hints) writeLine(line);
  },
});
