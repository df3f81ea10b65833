/** A VM's serial console through server and agent: typed bytes reach the guest, its answers come back, wherever it moves. */
import { consoleMessageSchema, GodwitError, type ConsoleMessage } from "@godwit/contract";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Wakeup } from "@godwit/system";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"] });
  await lab.boot({ on: "a", memoryMib: 192 });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** A console as a program sees it. */
class TestConsole implements Disposable {
  readonly messages: ConsoleMessage[] = [];
  readonly ended: Promise<void>;
  output = "";
  readonly #line: Awaited<ReturnType<TestLab["api"]["open"]>>;
  readonly #changed = new Wakeup();

  private constructor(line: Awaited<ReturnType<TestLab["api"]["open"]>>) {
    this.#line = line;
    line.on("message", (data, isBinary) => {
      const text = (data as Buffer).toString("utf8");
      if (isBinary) this.output += text;
      else this.messages.push(consoleMessageSchema.parse(JSON.parse(text)));
      this.#changed.wake();
    });
    this.ended = new Promise((resolve) => {
      line.once("close", () => {
        resolve();
      });
    });
    line.resume();
  }

  static async open(query: { user?: string; force?: string; readOnly?: string; tailBytes?: number } = {}) {
    return new TestConsole(await lab.api.open("vmConsole", { params: { vm: "web-1" }, query }));
  }

  type(text: string): void {
    this.#line.send(Buffer.from(text), { binary: true });
  }

  /** Resolves when the output has `text` in it. */
  async says(text: string): Promise<void> {
    while (!this.output.includes(text)) await this.#changed.next();
  }

  /** Asks the guest's shell to count; the answer is not in the question. */
  async answers(a: number, b: number): Promise<void> {
    this.type(`echo sum-$((${String(a)}+${String(b)}))\n`);
    await this.says(`sum-${String(a + b)}\r`);
  }

  [Symbol.dispose](): void {
    this.#line.terminate();
  }
}

const refusal = async (call: Promise<unknown>): Promise<string> =>
  await call.then(
    () => "opened",
    (error: unknown) => (GodwitError.is(error) ? error.code : String(error)),
  );

test("the guest answers what is typed, before and after a move, and loses nothing that it says on the way", async () => {
  using first = await TestConsole.open({ tailBytes: 65_536 });
  using watcher = await TestConsole.open({ readOnly: "true", tailBytes: 65_536 });
  await first.says("godwit-guest ready");
  await first.answers(20, 3);
  first.type(
    "i=0; while [ $i -lt 100 ]; do echo line-$i-; i=$((i+1)); sleep 0.1; done; echo done-$((1+1))\n",
  );
  await lab.succeeded(
    lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b", maxOutageMs: 2000 } }),
  );
  await first.says("done-2\r");
  await first.answers(40, 7);
  expect(first.messages).toEqual([
    { type: "attached", host: "a" },
    { type: "attached", host: "b" },
  ]);
  const lines = [...first.output.matchAll(/^line-(\d+)-\r$/gm)].map(([, number]) => Number(number));
  expect(lines).toEqual(Array.from({ length: 100 }, (_, index) => index));
  await watcher.says("sum-47\r");
});

test("one types at a time: the second is told who does, or takes the console over and the first is told", async () => {
  using first = await TestConsole.open({ user: "ann@desk" });
  await first.answers(1, 4);
  expect(await refusal(TestConsole.open({ user: "ben@desk" }))).toBe("CONSOLE_IN_USE");
  using second = await TestConsole.open({ user: "ben@desk", force: "true" });
  await first.ended;
  expect(first.messages.at(-1)).toMatchObject({
    type: "ended",
    problem: { code: "CONSOLE_TAKEN_OVER", details: { by: "ben@desk" } },
  });
  await second.answers(2, 6);
});

test("the console outlives its host's agent, and ends with a sentence when the VM stops", async () => {
  using first = await TestConsole.open();
  await first.answers(30, 5);
  await lab.lab.host("b").endAgent();
  await lab.lab.host("b").startAgent();
  await first.answers(50, 6);
  expect(first.output.match(/sum-35\r/g)).toHaveLength(1);
  // The console's line to the new agent may stand before the server's own does.
  const stateOfB = async () => (await lab.api.call("hostShow", { params: { host: "b" } })).state;
  await expect.poll(stateOfB).toBe("connected");
  await lab.succeeded(lab.api.call("vmStop", { params: { vm: "web-1" }, body: { graceSeconds: 0 } }));
  await first.ended;
  expect(first.messages.at(-1)).toMatchObject({
    type: "ended",
    problem: { code: "VM_NOT_RUNNING", details: { state: "stopped" } },
  });
  expect(await refusal(TestConsole.open())).toBe("VM_NOT_RUNNING");
});
