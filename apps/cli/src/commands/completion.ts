/** `godwit completion bash` */
import { buildCommand, proposeCompletions } from "@stricli/core";
import { writeLine } from "../output/screen.ts";

const script = `# godwit completion for bash; use it with: source <(godwit completion bash)
_godwit() {
  local words
  words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  mapfile -t COMPREPLY < <(godwit completion propose -- "\${words[@]}" 2>/dev/null)
}
complete -o default -F _godwit godwit ./godwit
`;

export const completionCommand = buildCommand({
  docs: {
    brief: "Completion for your shell",
    fullDescription: "Example: source <(godwit completion bash)",
  },
  parameters: {
    positional: {
      kind: "array",
      parameter: { brief: "bash, or propose with the words so far", placeholder: "shell", parse: String },
      minimum: 1,
    },
  },
  async func(_flags: Record<never, never>, shell: string, ...words: string[]) {
    if (shell === "propose") {
      const { app } = await import("../app.ts");
      const proposals = await proposeCompletions(app, words, { process });
      for (const { completion } of proposals) writeLine(completion);
      return;
    }
    if (shell !== "bash") throw new Error(`There is completion for bash only, not for ${shell}.`);
    process.stdout.write(script);
  },
});
