/** What a user is told of an error that was not foreseen: a full disk by its name, a bug by a reference and no more. */
import { expect, test } from "vitest";
import { GodwitError, problemOfUnexpected, spaceShort } from "../src/index.ts";

const systemError = (code: string, path?: string) =>
  Object.assign(new Error(`${code}: secret words of the system`), {
    code,
    ...(path === undefined ? {} : { path }),
  });

test.each(["ENOSPC", "EDQUOT"])("%s names the place that has no room", (code) => {
  const problem = problemOfUnexpected(systemError(code, "/run/godwit/vms/x/runtime.json"), "ref-1");
  expect(problem).toMatchObject({ code: "SPACE_SHORT", status: 507, retry: "after-fix" });
  expect(problem.detail).toContain("/run/godwit/vms/x/runtime.json has 0 MiB free");
  expect(problemOfUnexpected(systemError(code), "ref-1").detail).toMatch(
    /^A file system of this host has 0 MiB/,
  );
});

test("everything else is a bug: its reference is told, its words are not", () => {
  const problem = problemOfUnexpected(systemError("EIO", "/etc/secret"), "ref-2");
  expect(problem).toMatchObject({ code: "INTERNAL", details: { reference: "ref-2" } });
  expect(JSON.stringify(problem)).not.toContain("secret");
  expect(problemOfUnexpected("no error at all", "ref-3").code).toBe("INTERNAL");
  expect(spaceShort(undefined)).toBeNull();
});

test("an error of the catalogue stays what it is", () => {
  const known = GodwitError.of("VM_EXISTS", { vm: "web-1" });
  expect(problemOfUnexpected(known, "ref-4")).toBe(known.problem);
});
