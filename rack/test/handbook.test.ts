/** What the rack does is read from the handbook's pages: the reader finds what is there, and refuses what is not. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { blocksOf, commandOf, commandsOf, filled } from "../src/handbook.ts";
import { sharedFolder } from "../story/shared-storage.ts";

const page = `# Title

## 1. First

\`\`\`
apt install ./godwit_*.deb
godwit server init        # makes the authority
# a line of its own
godwit host join --server https://NAME:8443 --token gwt1.…
\`\`\`

\`\`\`yaml
name: web-1 # kept
\`\`\`

## Second
no block
`;

describe("a page of the handbook", () => {
  test("has blocks by section and language", () => {
    expect(blocksOf(page)).toMatchObject([
      { section: "First", language: "" },
      { section: "First", language: "yaml", text: "name: web-1 # kept" },
    ]);
  });

  test("has commands without their comments, in order", () => {
    expect(commandsOf(page, "First")).toEqual([
      "apt install ./godwit_*.deb",
      "godwit server init",
      "godwit host join --server https://NAME:8443 --token gwt1.…",
    ]);
  });

  test("that lacks a section, a command or an end of a block is an error", () => {
    expect(() => commandsOf(page, "Second")).toThrow('no commands in a section "Second"');
    expect(() => commandOf(commandsOf(page, "First"), "godwit vm")).toThrow("no command");
    expect(() => commandOf(commandsOf(page, "First"), "godwit")).toThrow("more than one");
    expect(() => blocksOf("## A\n```\napt")).toThrow("not closed");
  });

  test("is filled in whole, or not at all", () => {
    const join = commandOf(commandsOf(page, "First"), "godwit host join");
    expect(filled(join, { NAME: "a.example.com", "gwt1.…": "gwt1.abc" })).toBe(
      "godwit host join --server https://a.example.com:8443 --token gwt1.abc",
    );
    expect(() => filled(join, { NAME: "a" })).toThrow("leaves something");
    expect(() => filled(join, { HOST: "a" })).toThrow("has no HOST");
  });
});

test("the page on installation has what the rack does by it", async () => {
  const install = await readFile(join(import.meta.dirname, "../../docs/operators/install.md"), "utf8");
  const server = commandsOf(install, "The server");
  expect(server.map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
    "apt install ./godwit_*.deb",
    "godwit server init",
    "godwit host token",
  ]);
  const host = commandsOf(install, "Each host");
  expect(
    filled(commandOf(host, "godwit host join"), {
      NAME: "a.example.com",
      "10.0.2.11": "10.97.2.11",
      "gwt1.…": "gwt1.abc",
    }),
  ).toBe(
    "godwit host join --server https://a.example.com:8443 --migration-address 10.97.2.11 --token gwt1.abc",
  );
  expect(commandOf(host, "apt install")).toContain("godwit-agent");
  expect(commandOf(host, "godwit datastore add")).toBe(
    `godwit datastore add shared --nfs filer.example.com:${sharedFolder} --init`,
  );
  expect(commandsOf(install, "A VM").map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
    "godwit vm create",
    "godwit vm start",
    "godwit vm migrate",
  ]);
});
