/** What `vm show` says of a memory target: what the guest has, and what it has not given back. */
import { expect, test } from "vitest";
import { memoryText, memoryTargetText } from "../src/output/balloon-view.ts";
import { parseMemoryTarget } from "../src/output/format.ts";

const text = (balloon: { targetMib?: number } | undefined, guestMib: number | null) =>
  memoryTargetText({ memoryMib: 2048, balloon }, guestMib === null ? null : guestMib * 1024 * 1024);

test("a guest that has given nothing back, or not all, is shown otherwise than one that has", () => {
  const balloon = { targetMib: 1024 };
  expect(text(undefined, null)).toBeNull();
  expect(text(balloon, null)).toBe("1024 MiB");
  expect(text(balloon, 1024)).toBe("1024 MiB; the guest has 1024 MiB");
  expect(text(balloon, 2048)).toMatch(/^1024 MiB; the guest has 2048 MiB: it has not given memory back, /);
  expect(text(balloon, 1500)).toBe("1024 MiB; the guest has 1500 MiB: it has not given all of it back");
  expect(text({}, 2048)).toBe("all of it; the guest has 2048 MiB");
  expect(text({}, 1024)).toBe("all of it; the guest has 1024 MiB, and has not taken all of it again");
});

test("what was added is told of a VM that runs, and the maximum of each that has one", () => {
  const memoryDevices = [
    { slot: 0, mib: 256, addr: 4294967296 },
    { slot: 1, mib: 128, addr: 4563402752 },
  ];
  const grown = { memoryMib: 1408, maxMemoryMib: 2048, memoryDevices };
  expect(memoryText({ memoryMib: 1024 }, true)).toBe("1024 MiB");
  expect(memoryText({ memoryMib: 1024, hugepages: "2M" }, true)).toBe("1024 MiB, huge pages of 2M");
  expect(memoryText(grown, true)).toBe(
    "1408 MiB, 384 MiB of it added since it was started, at most 2048 MiB while it runs",
  );
  expect(memoryText(grown, false)).toBe("1408 MiB, at most 2048 MiB while it runs");
});

test("a target is a size from 64 MiB, or all", () => {
  expect(parseMemoryTarget("1GiB")).toBe(1024);
  expect(parseMemoryTarget("all")).toBe("all");
  for (const wrong of ["63MiB", "5TiB", "1024", "none"])
    expect(() => parseMemoryTarget(wrong)).toThrow(/write (?:64MiB|512MiB)/);
});
