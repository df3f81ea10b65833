import { expect, test } from "vitest";
import { withSettings } from "../src/sanlock-settings.ts";

const root = "uname = root\ngname = root\n";

test("the host's name is added to sanlock's configuration once, and another name is never replaced", () => {
  expect(withSettings("", "a")).toEqual({ text: `our_host_name = a\n${root}` });
  expect(withSettings("# our_host_name = x\nlogfile_priority = 4", "a")).toEqual({
    text: `# our_host_name = x\nlogfile_priority = 4\nour_host_name = a\n${root}`,
  });
  const whole = `our_host_name=a\n${root}`;
  expect(withSettings(whole, "a")).toEqual({ text: whole });
  expect(withSettings("our_host_name = other\n", "a")).toEqual({ otherName: "other" });
});

test("sanlock runs as who makes the files of leases, unless an administrator has chosen another user", () => {
  expect(withSettings("our_host_name = a\n", "a")).toEqual({ text: `our_host_name = a\n${root}` });
  const chosen = "uname = vdsm\ngname = kvm\nour_host_name = a\n";
  expect(withSettings(chosen, "a")).toEqual({ text: chosen });
});
