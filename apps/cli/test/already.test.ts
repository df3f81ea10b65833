/** Stopping what is stopped and starting what runs succeed and say so; every other refusal stays one. */
import { GodwitError } from "@godwit/contract";
import { afterEach, expect, test, vi } from "vitest";
import { unlessReached } from "../src/already.ts";
import type { Api } from "../src/connection.ts";

const api = { call: async () => ({ name: "web-1" }) } as unknown as Api;
const stop = (state: string, json: boolean) =>
  unlessReached(
    api,
    { vm: "web-1", json, code: "VM_NOT_RUNNING" },
    async () => {
      throw GodwitError.of("VM_NOT_RUNNING", { vm: "web-1", state });
    },
    (details) => (details.state === "stopped" ? "VM web-1 is stopped already." : null),
  );

afterEach(() => {
  vi.restoreAllMocks();
});

test("an aim that is reached already is told on standard output, with --json as the VM", async () => {
  const written = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  await stop("stopped", false);
  await stop("stopped", true);
  expect(written.mock.calls.map(([text]) => text)).toEqual([
    "VM web-1 is stopped already.\n",
    '{\n  "name": "web-1"\n}\n',
  ]);
});

test("a VM that is in another state than the one that was asked for is refused as before", async () => {
  await expect(stop("lost", false)).rejects.toMatchObject({ code: "VM_NOT_RUNNING" });
});
