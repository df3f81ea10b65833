/** Whether QEMU is confined by AppArmor, by the kernel's own words; and that the profile is one. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { run } from "@godwit/system";
import { expect, test } from "vitest";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import { appArmorOf } from "../src/app-armor.ts";

const profile = fileURLToPath(new URL("../../../packaging/apparmor/godwit-qemu", import.meta.url));

test("QEMU is started under its profile exactly where that is loaded, and anything less is told", () => {
  const others = "lsb_release (enforce)\nnot-godwit-qemu (enforce)\n";
  expect(appArmorOf(null, null)).toEqual({ profile: null, problem: "AppArmor is not enabled there" });
  expect(appArmorOf("N\n", `${others}godwit-qemu (enforce)\n`)).toMatchObject({ profile: null });
  expect(appArmorOf("Y\n", others)).toEqual({
    profile: null,
    problem: "its profile godwit-qemu is not loaded there",
  });
  expect(appArmorOf("Y\n", `${others}godwit-qemu (complain)\n`)).toEqual({
    profile: "godwit-qemu",
    problem: "its profile godwit-qemu is in complain mode there",
  });
  expect(appArmorOf("Y\n", `${others}godwit-qemu (enforce)\n`)).toEqual({
    profile: "godwit-qemu",
    problem: null,
  });
});

const parser = ["/sbin/apparmor_parser", "/usr/sbin/apparmor_parser"].find((path) => existsSync(path));
describeWith(
  "apparmor_parser",
  parser === undefined ? "Debian's package apparmor is not installed" : null,
  () => {
    test("understands the profile", async () => {
      const words = ["--skip-kernel-load", "--skip-cache", "--quiet", profile];
      await run(parser ?? "", words, { what: "reading the AppArmor profile" });
    });
  },
);
