/** Whether a command on a VM is refused at once because its host is away. */
import { expect, test } from "vitest";
import { reachable } from "../src/api/host-for-command.ts";
import type { Services } from "../src/services.ts";

/** @param isUp whether the agent's events flow @param answers what it says to a call */
const servicesWith = (isUp: boolean, answers: boolean): Services =>
  ({
    store: {
      hosts: {
        show: () =>
          Promise.resolve({ agentUrl: "https://10.0.0.1:8444", unreachableReason: "nothing listens there" }),
      },
    },
    hosts: { isUp: () => isUp, of: () => ({ answers: () => Promise.resolve(answers) }) },
  }) as unknown as Services;

test("a host whose events flow is there, and so is one that answers before they flow again", async () => {
  await reachable(servicesWith(true, false), "a");
  await reachable(servicesWith(false, true), "a");
});

test("a host that does not answer is refused with the reason", async () => {
  const refused = await reachable(servicesWith(false, false), "a").catch((error: unknown) => error);
  expect(refused).toMatchObject({
    problem: { code: "HOST_UNREACHABLE", details: { host: "a", reason: "nothing listens there" } },
  });
});
