/** `godwit completion SHELL` */
import { buildCommand, type Command, type CommandContext } from "@stricli/core";
import { GodwitError } from "@godwit/contract/errors";
import { completionScripts, type Shell } from "../completion-scripts.ts";
import { writeLine } from "../output/screen.ts";

/** @param propose what may follow these words */
export const completionCommand = (propose: (words: string[]) => Promise<string[]>): Command<CommandContext> =>
  buildCommand({
    docs: {
      brief: "Print the completion script for your shell",
      fullDescription: "Example: source <(godwit completion bash)",
    },
    parameters: {
      positional: {
        kind: "array",
        parameter: {
          brief: "bash, zsh, fish, or propose with the words so far",
          placeholder: "shell",
          parse: String,
        },
        minimum: 1,
      },
    },
    async func(_flags: object, shell: string, ...words: string[]) {
      if (shell === "propose") {
        for (const proposal of await propose(words)) writeLine(proposal);
        return;
      }
      if (!(shell in completionScripts)) {
        throw GodwitError.of("USAGE", {
          what: `Completion is available for ${Object.keys(completionScripts).join(", ")}, not for ${shell}.`,
          hint: "source <(godwit completion bash)",
        });
      }
      process.stdout.write(completionScripts[shell as Shell]);
    },
  });
