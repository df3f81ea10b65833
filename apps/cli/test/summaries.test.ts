/** The help of the whole program, which is printed without loading the commands. */
import { run, type Application, type CommandContext } from "@stricli/core";
import { expect, test } from "vitest";
import { applicationFor, wholeApplication } from "../src/app.ts";

async function helpOf(application: Application<CommandContext>): Promise<string> {
  let text = "";
  const stream = { write: (part: string) => void (text += part) };
  await run(application, ["--help"], { process: { stdout: stream, stderr: stream, env: {} } });
  return text;
}

test("what it says of each group of commands is what there is", async () => {
  const help = await helpOf(await applicationFor(["--help"]));
  expect(help).toContain("godwit vm list|show|");
  expect(help).toBe(await helpOf(await wholeApplication()));
});
