/**
 * A host that forbids its users to handle page faults since it was last asked: the server takes it for one that allows it, and only its
 * QEMU is refused. A move that has post-copy as its last resort goes on without; one that was asked for post-copy fails.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { moveOf } from "@godwit/contract";
import { findQemus } from "@godwit/lab";
import { run } from "@godwit/system";
import { forbidUserfaultfd, TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../test-kit/src/describe-with.ts";

/** The server has post-copy as the last resort only between QEMUs that can make its stream again as often as it takes. */
const recent = "10.0";
const isPresent = (await findQemus()).some(({ version }) => version.startsWith(`${recent}.`));
const leftOut = /^post-copy is left out, because host b does not allow it: ./;
const setting = "/proc/sys/vm/unprivileged_userfaultfd";

describeWith("a host that forbids post-copy", isPresent ? null : `not installed: QEMU ${recent}`, () => {
  let lab: TestLab;
  let giveBack: (() => Promise<void>) | null = null;
  beforeAll(async () => {
    lab = await TestLab.start({
      ...{ hosts: ["a", "b"], qemu: { a: recent, b: recent } },
      forbidsUserfaultfd: false,
    });
    await lab.boot({ on: "a" });
  });
  afterAll(async () => {
    await giveBack?.();
    await lab[Symbol.asyncDispose]();
  });

  test(
    "is not known as one: what can do without post-copy moves, and what was asked for it stays",
    async ({ skip }) => {
      const vm = await lab.vm("web-1");
      giveBack = await forbidUserfaultfd();
      if (giveBack === null) skip("this kernel always allows it");
      // Where that is known, a check tells it before.
      const check = await lab.api.call("vmCheck", {
        params: { vm: "web-1" },
        body: { to: "b", forecast: true },
      });
      expect(check.forecast).toMatchObject({
        objective: { name: "normal", postcopy: "never" },
        ...{ withoutPostcopy: null, postcopyLeftOut: expect.stringMatching(leftOut) as string },
      });

      // What its agent reads, and its QEMU is not asked.
      const allowed = join(lab.lab.folder, "allowed");
      await writeFile(allowed, "1");
      const { agent } = lab.lab.host("b");
      if (agent === null) throw new Error("the agent of host b does not run");
      const inMounts = ["nsenter", "--target", String(agent.pid), "--mount", "--"] as const;
      const [program, ...argv] = [...inMounts, "mount", "--bind", allowed, setting];
      await run(program, argv, { what: "showing host b another setting" });

      const params = { vm: "web-1" };
      const asked = await lab.ended(
        lab.api.call("vmMigrate", { params, body: { to: "b", strategy: "postcopy" } }),
      );
      expect(moveOf(asked)?.error).toMatchObject({
        code: "POSTCOPY_UNAVAILABLE",
        remedy: expect.stringMatching(/without --strategy postcopy/) as string,
      });
      expect(await lab.runnersOf(vm)).toEqual(["a"]);
      expect(await lab.settled(1)).toEqual([]);

      // How long the guest stands still is another test's.
      const body = { to: "b", maxOutageMs: 10_000 };
      const moved = moveOf(await lab.succeeded(lab.api.call("vmMigrate", { params, body })));
      expect(moved).toMatchObject({ strategy: "auto", phase: "succeeded" });
      expect(moved?.decisions).toContainEqual(
        expect.objectContaining({
          ...{ kind: "postcopyLeftOut", host: "b" },
          text: expect.stringMatching(leftOut) as string,
        }),
      );
      expect(await lab.runnersOf(vm)).toEqual(["b"]);
      expect(await lab.settled(1)).toEqual([]);
    },
    // It waits for the tests that need post-copy allowed, which are whole files.
    1_800_000,
  );
});
