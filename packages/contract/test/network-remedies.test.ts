/** What to do where a host cannot limit what VMs send follows from what nft says. */
import { expect, test } from "vitest";
import { GodwitError } from "../src/index.ts";

test.each([
  ["nft is not installed", /apt-get install nftables/],
  ["netlink: Error: cache initialization failed: Operation not permitted", /CAP_NET_ADMIN/],
  ["Error: Could not process rule: Operation not supported", /modprobe nf_tables/],
])("of: %s", (reason, remedy) => {
  expect(GodwitError.of("HOST_PORTS_UNSECURED", { host: "a", reason }).problem.remedy).toMatch(remedy);
  expect(GodwitError.of("NETWORK_FILTER_MISSING", { vm: "x", host: "a", reason }).problem.remedy).toMatch(
    remedy,
  );
});

test("an agent of an older version is to be renewed", () => {
  const details = { vm: "x", host: "a", reason: "its agent's version cannot" };
  expect(GodwitError.of("NETWORK_FILTER_MISSING", details).problem.remedy).toMatch(/newest agent on a\./);
});
