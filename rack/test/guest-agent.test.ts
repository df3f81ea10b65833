/** The guest agent's client against sockets that behave as a server that boots: nobody answers, or somebody late. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { agentAnswers, execute } from "../src/guest-agent.ts";

type Message = { execute: string; arguments: { id?: number } };

/** @param answer what is written back to a message; null: nothing */
async function withAgent(
  answer: (message: Message) => object | null,
): Promise<AsyncDisposable & { path: string }> {
  const folder = await mkdtemp(join(tmpdir(), "godwit-agent-test-"));
  const path = join(folder, "agent");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    createInterface({ input: socket }).on("line", (line) => {
      const reply = answer(JSON.parse(line.replace(/^[^{]*/, "")) as Message);
      // As QEMU's guest agent writes it: a space after each colon.
      if (reply !== null) socket.write(`${JSON.stringify(reply).replaceAll('":', '": ')}\n`);
    });
  });
  server.listen(path);
  await once(server, "listening");
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { path, [Symbol.asyncDispose]: close };
}

test("a server that does not answer is told so, and is not waited for for ever", async () => {
  await using agent = await withAgent(() => null);
  expect(await agentAnswers(agent.path, 50)).toBe(false);
  await expect(execute(agent.path, ["true"], { what: "trying it", limitMs: 50 })).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    message: expect.stringContaining("did not answer in time") as string,
  });
});

test("a limit of time that passes before the connection is there ends the wait", async () => {
  await using agent = await withAgent(() => null);
  const answers = agentAnswers(agent.path, 1);
  // Nothing else runs meanwhile: the limit is over before the kernel's answer is read.
  const until = performance.now() + 50;
  while (performance.now() < until);
  expect(await answers).toBe(false);
});

test("a program runs, and what it printed comes back", async () => {
  const text = (words: string) => Buffer.from(words).toString("base64");
  const replies: Record<string, object> = {
    "guest-exec": { pid: 7 },
    "guest-exec-status": { exited: true, exitcode: 3, "out-data": text("out\n"), "err-data": text("err\n") },
  };
  await using agent = await withAgent(({ execute: name, arguments: { id } }) => ({
    return: name === "guest-sync-delimited" ? id : replies[name],
  }));
  expect(await agentAnswers(agent.path, 60_000)).toBe(true);
  expect(await execute(agent.path, ["false"], { what: "trying it", limitMs: 60_000 })).toEqual({
    stdout: "out",
    stderr: "err",
    exitCode: 3,
  });
});
