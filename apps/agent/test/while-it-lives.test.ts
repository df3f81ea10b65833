import { GodwitError } from "@godwit/contract";
import { expect, test } from "vitest";
import { whileItLives } from "../src/moves/while-it-lives.ts";

const interrupted = () => GodwitError.of("QMP_INTERRUPTED", { command: "query-migrate", reason: "it ended" });

function qemu() {
  const end = Promise.withResolvers<{ reason: string }>();
  return {
    ended: end.promise as never,
    end: () => {
      end.resolve({ reason: "ended" });
    },
  };
}

test("a QEMU that ends while it is asked is taken for gone, and the agent goes on", async () => {
  const process = qemu();
  const asked: (typeof process | null)[] = [];
  const { process: living, answer } = await whileItLives(process, (one) => {
    asked.push(one);
    if (one === null) return Promise.resolve("gone");
    setTimeout(one.end, 20);
    return Promise.reject(interrupted());
  });
  expect({ living, answer, asked }).toEqual({ living: null, answer: "gone", asked: [process, null] });
});

test("one that lives is asked again", async () => {
  const process = qemu();
  let tried = 0;
  const told = await whileItLives(process, () =>
    ++tried < 2 ? Promise.reject(interrupted()) : Promise.resolve("completed"),
  );
  expect(told).toEqual({ process, answer: "completed" });
});

test("what is wrong otherwise is not taken for its end", async () => {
  const process = qemu();
  await expect(whileItLives(process, () => Promise.reject(new Error("no schema fits")))).rejects.toThrow(
    "no schema fits",
  );
});
