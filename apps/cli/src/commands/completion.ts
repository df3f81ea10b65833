/** `godwit completion bash` */
import { buildCommand, type Command, type CommandContext } from "@stricli/core";
import { GodwitError } from "@godwit/contract/errors";
import { writeLine } from "../output/screen.ts";

const script = `# godwit completion for bash; use it with: source <(godwit completion bash)
_godwit() {
  local words
  words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  mapfile -t COMPREPLY < <(godwit completion propose -- "\${words[@]}" 2>/dev/null)
}
complete -o default -F _godwit godwit ./godwit
`;

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
        parameter: { brief: "bash, or propose with the words so far", placeholder: "shell", parse: String },
        minimum: 1,
      },
    },
    async func(_flags: object, shell: string, ...words: string[]) {
      if (shell === "propose") {
        for (const proposal of await propose(words)) writeLine(proposal);
        return;
      }
      if (shell !== "bash") {
        throw GodwitError.of("USAGE", {
          what: `Completion is available for bash, not for ${shell}.`,
          hint: "source <(godwit completion bash)",
        });
      }
      process.stdout.write(script);
    },
  });
