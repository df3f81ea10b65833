/** `godwit setup` */
import { buildCommand } from "@stricli/core";
import { StatusLine, writeLine } from "../output/screen.ts";

export const setupCommand = buildCommand({
  docs: {
    brief: "Install what Godwit needs on this machine",
    fullDescription: `Debian packages (QEMU, PostgreSQL's server without a default cluster, iproute2), users for QEMU and the
database, and the lab's guest. What is already installed is not changed.

Example: sudo ./godwit setup`,
  },
  parameters: {},
  async func() {
    const { setup } = await import("../setup/setup.ts");
    const changed = await setup(new StatusLine());
    writeLine(changed ? "This machine is ready." : "This machine is ready; there was nothing to install.");
  },
});
