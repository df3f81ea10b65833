/** What goes into the packages: everything that runs, nothing of development, and the licence text of each. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { bundledOf, isNeeded, type Lock } from "../bundled.ts";
import { licensesText } from "../copyright.ts";
import { manPages } from "../man-pages.ts";
import { sbomOf } from "../sbom.ts";

const root = join(import.meta.dirname, "../..");
const bundled = bundledOf(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Lock);
const names = new Set(bundled.map(({ name }) => name));

test("every npm package that a workspace of the packages depends on is bundled, and none of development", () => {
  for (const file of globSync("{apps,packages}/*/package.json", { cwd: root })) {
    const { dependencies = {} } = JSON.parse(readFileSync(join(root, file), "utf8")) as {
      dependencies?: Record<string, string>;
    };
    for (const name of Object.keys(dependencies)) {
      expect(name.startsWith("@godwit/") || names.has(name), `${name} of ${file}`).toBe(true);
    }
  }
  for (const name of ["vitest", "typescript", "eslint", "fast-check", "@types/node"]) {
    expect(names).not.toContain(name);
  }
  expect(isNeeded("/x/node_modules/pg/lib/client.js")).toBe(true);
  expect(isNeeded("/x/node_modules/zod/v4/index.d.ts")).toBe(false);
  expect(isNeeded("/x/node_modules/fastify/test/hooks.test.js")).toBe(false);
});

test("the licence text of everything that is bundled is found", async () => {
  const folder = join(dirname(process.execPath), "..");
  const node = existsSync(join(folder, "LICENSE")) ? folder : root;
  const text = await licensesText(root, bundled, { version: "24", folder: node });
  for (const { name, version } of bundled) expect(text).toContain(`${name} ${version} (`);
});

test("a man page shows the help as it is, whatever begins a line", () => {
  const pages = manPages(
    [
      ["godwit vm list", "USAGE\n  godwit vm list [--json]\n\n.dots and 'quotes' \\ at the start"],
      ["godwit task list", "USAGE\n  godwit task list"],
    ],
    "1.2.3",
    "2026-01-02",
  );
  expect(pages.map(({ file }) => file)).toEqual(["godwit.1", "godwit-task.1", "godwit-vm.1"]);
  expect(pages[2]?.text).toContain("\\&.dots and 'quotes' \\e at the start");
  expect(pages[2]?.text).toContain("godwit vm list [\\-\\-json]");
});

test("the bill of materials names Node, leaves the lab out, and is the same for the same sources", () => {
  const npm = (timestamp: string) =>
    JSON.stringify({
      serialNumber: `urn:uuid:${timestamp}`,
      metadata: { timestamp, component: { name: "checkout" } },
      components: ["@godwit/cli@1", "@godwit/lab@1", "pg@8"].map((ref) => ({ name: ref, "bom-ref": ref })),
      dependencies: [{ ref: "@godwit/lab@1" }, { ref: "pg@8" }],
    });
  const made = sbomOf(npm("1"), "1.2.3", "24.0.0", new Date(0));
  expect(sbomOf(npm("2"), "1.2.3", "24.0.0", new Date(0))).toBe(made);
  const { components } = JSON.parse(made) as { components: Record<string, string>[] };
  expect(components.map((one) => one["bom-ref"])).toEqual(["@godwit/cli@1", "pg@8", "node@24.0.0"]);
});
