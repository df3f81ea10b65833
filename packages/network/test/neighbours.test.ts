/** The neighbour table as `ip` prints it. */
import { expect, test } from "vitest";
import { neighboursIn } from "../src/neighbours.ts";

test("those that answered are told, in the kernel's own text of their addresses; an empty table prints nothing", () => {
  const entries = [
    { dst: "10.0.0.5", dev: "br0", lladdr: "52:54:00:AA:BB:01", state: ["REACHABLE"] },
    { dst: "FD00:0::5", dev: "br0", lladdr: "52:54:00:aa:bb:01", state: ["STALE"] },
    { dst: "10.0.0.6", dev: "br0", state: ["FAILED"] },
    { dst: "10.0.0.7", dev: "br0", lladdr: "52:54:00:aa:bb:02", state: ["FAILED"] },
    { dst: "ff02::1", dev: "br0", lladdr: "33:33:00:00:00:01", state: ["NOARP"] },
    { dst: "10.0.0.8", dev: "br0", lladdr: "52:54:00:aa:bb:03" },
  ];
  expect(neighboursIn(JSON.stringify(entries))).toEqual([
    { address: "10.0.0.5", mac: "52:54:00:aa:bb:01" },
    { address: "fd00::5", mac: "52:54:00:aa:bb:01" },
    { address: "10.0.0.8", mac: "52:54:00:aa:bb:03" },
  ]);
  expect(neighboursIn("")).toEqual([]);
});
