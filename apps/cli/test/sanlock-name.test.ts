import { expect, test } from "vitest";
import { withHostName } from "../src/sanlock-name.ts";

test("the host's name is added to sanlock's configuration once, and another name is never replaced", () => {
  expect(withHostName("", "a")).toEqual({ text: "our_host_name = a\n" });
  expect(withHostName("# our_host_name = x\nlogfile_priority = 4", "a")).toEqual({
    text: "# our_host_name = x\nlogfile_priority = 4\nour_host_name = a\n",
  });
  expect(withHostName("our_host_name=a\n", "a")).toEqual({ text: "our_host_name=a\n" });
  expect(withHostName("our_host_name = other\n", "a")).toEqual({ otherName: "other" });
});
