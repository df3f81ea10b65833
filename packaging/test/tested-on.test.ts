/** The README's table of what Godwit was tested on: rows from stories' results, in their place. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { storyResultSchema, tableOf, withTable } from "../tested-on/table.ts";

const server = (name: string, accelerator: "kvm" | "tcg") =>
  ({ name, debian: "12.11", kernel: "6.1.0-37-amd64", qemu: "7.2.17", accelerator }) as const;

test("each kind of server of a story is a row, and what else a story tells is left out", () => {
  const result = storyResultSchema.parse({
    servers: [server("a", "kvm"), server("b", "kvm"), server("c", "tcg")],
    storage: ["NFS 4.2", "iSCSI"],
    moves: [],
  });
  const table = tableOf([{ story: "npm run rack:story", result }]);
  expect(table.split("\n")).toHaveLength(4);
  expect(table).toContain(
    "| Debian 12.11 | 6.1.0-37-amd64 | 7.2.17 | KVM              | NFS 4.2, iSCSI | `npm run rack:story` |",
  );
  expect(() => withTable("# no place", table)).toThrow("README.md has no lines");
});

test("the README's table is what the kept results say", () => {
  const main = join(import.meta.dirname, "../tested-on/main.ts");
  const { status, stderr } = spawnSync(process.execPath, [main, "--check"], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
