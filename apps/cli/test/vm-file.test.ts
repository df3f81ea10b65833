/** A VM's description from a file: right ones are read, every mistake is reported with its line. */
import { expect, test } from "vitest";
import { GodwitError } from "@godwit/contract";
import { parseVmFile } from "../src/vm-file.ts";

const problems = (text: string): string => {
  try {
    parseVmFile(text, "web.yaml");
  } catch (error) {
    if (GodwitError.is(error, "VM_DESCRIPTION_INVALID")) return error.message;
    throw error;
  }
  return "";
};

test("a description is read, with what it leaves out", () => {
  expect(parseVmFile("name: web-1\ndatastore: shared\nmemoryMib: 512\n", "web.yaml")).toMatchObject({
    name: "web-1",
    vcpus: 1,
    disks: [],
    nics: [],
  });
});

test("an unknown field is named with its line, and so is every other mistake", () => {
  const text =
    "name: Web_1\ndatastore: shared\nmemoryMib: lots\ndisks:\n  - name: root\n    sizeMib: 10\n    colour: blue\n";
  const told = problems(text);
  expect(told).toContain("line 1: name:");
  expect(told).toContain("line 3: memoryMib:");
  expect(told).toContain("line 7: unknown field disks.0.colour");
});

test("what is no YAML, or no description at all, is refused as such", () => {
  expect(problems("name: [")).toContain("web.yaml");
  expect(problems("just words")).toContain("web.yaml");
});
