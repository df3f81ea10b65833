/** What is mounted, by the kernel's own table. */
import { expect, test } from "vitest";
import { mounted, mountsIn } from "../src/index.ts";

test("the kernel's table is read with its escapes, and with as many optional fields as a line has", async () => {
  const text = String.raw`36 35 98:0 /mnt1 /mnt\040of\134mine rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue
37 35 0:44 / /var/lib/godwit/mounts/vms rw,nosuid - nfs4 [fd00::1]:/export/vms rw,vers=4.2
no line of it`;
  expect(mountsIn(text)).toEqual([
    { type: "ext3", what: "/dev/root", where: String.raw`/mnt of\mine` },
    { type: "nfs4", what: "[fd00::1]:/export/vms", where: "/var/lib/godwit/mounts/vms" },
  ]);
  expect((await mounted()).some(({ where, type }) => where === "/proc" && type === "proc")).toBe(true);
});
