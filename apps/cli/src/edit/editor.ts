/** The user's editor on a file of its own, which stays where it is until what was written there is done. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract/errors";
import { readFileOrNull } from "@godwit/system";

/** @throws USAGE where none is set, or nobody could see it */
export function editorOf(env: NodeJS.ProcessEnv, isTerminal: boolean): string {
  const editor = [env.VISUAL, env.EDITOR].find((one) => one !== undefined && one.trim() !== "");
  if (!isTerminal)
    throw GodwitError.of("USAGE", {
      what: "An editor needs a terminal, and this command has none.",
      hint: "Programs change a VM by godwit vm set, or by the API.",
    });
  if (editor === undefined)
    throw GodwitError.of("USAGE", {
      what: "No editor is set.",
      hint: "Set one, like EDITOR=nano (sudo -E keeps it); or change the VM by godwit vm set.",
    });
  return editor;
}

export class EditedFile {
  readonly path: string;
  readonly #folder: string;
  readonly #editor: string;
  /** Whether the user has written something into it. */
  #isWritten = false;

  private constructor(folder: string, name: string, editor: string) {
    this.#folder = folder;
    this.path = join(folder, name);
    this.#editor = editor;
  }

  /** In a folder that only this user can read. */
  static async make(name: string, editor: string): Promise<EditedFile> {
    return new EditedFile(await mkdtemp(join(tmpdir(), "godwit-edit-")), name, editor);
  }

  /** @returns what is in the file when the editor has ended. @throws EDITOR_FAILED; the file is kept then where the user has written something */
  async edit(text: string): Promise<string> {
    await writeFile(this.path, text, { mode: 0o600 });
    const failed = await this.#run();
    const after = await readFileOrNull(this.path);
    if (after !== null && after !== text) this.#isWritten = true;
    const reason = failed ?? (after === null ? "has removed the file" : null);
    if (after !== null && reason === null) return after;
    if (!this.#isWritten) await this.remove();
    else if (after === null) await writeFile(this.path, text, { mode: 0o600 });
    const kept = this.#isWritten ? this.path : null;
    throw GodwitError.of("EDITOR_FAILED", { editor: this.#editor, reason: reason ?? "", kept });
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** It may be a command with arguments, as for git. @returns why it failed, the end of a sentence; null: it did not */
  async #run(): Promise<string | null> {
    const { promise, resolve } = Promise.withResolvers<string | null>();
    // Ctrl-C is the editor's.
    const ignore = () => undefined;
    process.on("SIGINT", ignore);
    try {
      const child = spawn("sh", ["-c", `${this.#editor} "$1"`, "sh", this.path], { stdio: "inherit" });
      child.once("error", (error) => {
        resolve(`could not be started: ${error.message}`);
      });
      child.once("exit", (code, signal) => {
        if (code === 0) resolve(null);
        else resolve(code === null ? `was ended by ${String(signal)}` : `ended with code ${String(code)}`);
      });
      return await promise;
    } finally {
      process.off("SIGINT", ignore);
    }
  }
}
