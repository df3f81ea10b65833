/** How this program came onto the machine: as a checkout of its sources, or by Debian packages, which have no lab. */
import { existsSync } from "node:fs";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand, type Command, type CommandContext } from "@stricli/core";

export const isPackaged = existsSync(new URL("../../../packaged", import.meta.url));

/** First words of commands that work in a checkout only. */
export const checkoutOnly: ReadonlySet<string> = new Set(["quickstart", "setup", "lab"]);

/** Stands for a command that an installation from packages does not have. */
export const needsCheckout = (word: string): Command<CommandContext> =>
  buildCommand({
    docs: { brief: "Only in a checkout of the sources" },
    parameters: {
      positional: { kind: "array", parameter: { brief: "its words", placeholder: "words", parse: String } },
    },
    async func(_flags: object, ..._words: string[]) {
      throw GodwitError.of("USAGE", {
        what: `godwit ${word} is not part of the Debian packages: it needs a checkout of the sources.`,
        hint:
          word === "setup"
            ? "The packages bring what they need; on a host install godwit-agent, for the server godwit-server."
            : "Clone the repository and run ./godwit quickstart there.",
      });
    },
  });
