/** What holds a stream up: asked for where its rate has fallen, and only there. */
import { expect, test } from "vitest";
import { StreamWatch } from "../src/moves/stream-watch.ts";

/** Answers one after the other; what is asked for beyond them is counted as a mistake. */
function answering(...answers: (number | null)[]): () => Promise<number | null> {
  return () => {
    const answer = answers.shift();
    return answer === undefined ? Promise.reject(new Error("not expected")) : Promise.resolve(answer);
  };
}

test("a stream that keeps its rate is not asked about", async () => {
  const watch = new StreamWatch(answering());
  for (let atMs = 0; atMs < 2000; atMs += 250) await watch.look(atMs, 100e6 - atMs * 1e4);
  expect(watch.at(2000)).toEqual({ linkBusyShare: null });
});

test("where the rate falls, the share follows from two looks, and is forgotten after a second", async () => {
  const watch = new StreamWatch(answering(500, 550, 790));
  await watch.look(0, 100e6);
  await watch.look(250, 20e6);
  expect(watch.at(250)).toEqual({ linkBusyShare: null });
  await watch.look(500, 20e6);
  expect(watch.at(600)).toEqual({ linkBusyShare: 0.2 });
  await watch.look(750, 20e6);
  expect(watch.at(750)).toEqual({ linkBusyShare: 0.96 });
  expect(watch.at(1751)).toEqual({ linkBusyShare: null });
});

test("a system that cannot tell is not asked again", async () => {
  const watch = new StreamWatch(answering(null));
  await watch.look(0, 100e6);
  await watch.look(250, 20e6);
  await watch.look(500, 20e6);
  expect(watch.at(500)).toEqual({});
});
