/** Which device of QEMU's a disk is, by the answer of QEMU 7.2 and 10.0 to `query-block`. */
import type { CommandReply } from "@godwit/qmp";
import { expect, test } from "vitest";
import { insertedIn } from "../src/disk-nodes.ts";

const answer = (...qdevs: string[]) =>
  qdevs.map((qdev) => ({
    qdev,
    inserted: { "node-name": `of ${qdev}` },
  })) as unknown as CommandReply<"query-block">;
const found = (blocks: CommandReply<"query-block">, disk: string) => insertedIn(blocks, disk)?.["node-name"];

test("a disk is found by its name on each bus", () => {
  const blocks = answer("/machine/peripheral/root/virtio-backend", "on-sata", "on-scsi", "cd.cd0");
  expect(found(blocks, "root")).toBe("of /machine/peripheral/root/virtio-backend");
  expect(found(blocks, "on-sata")).toBe("of on-sata");
  expect(found(blocks, "on-scsi")).toBe("of on-scsi");
  expect(found(blocks, "cd0")).toBeUndefined();
});

test("a disk with a name that is in every path is not taken for another", () => {
  for (const name of ["machine", "peripheral", "virtio-backend"]) {
    const own = `/machine/peripheral/${name}/virtio-backend`;
    expect(found(answer("/machine/peripheral/root/virtio-backend", own), name)).toBe(`of ${own}`);
    expect(found(answer("/machine/peripheral/root/virtio-backend", name), name)).toBe(`of ${name}`);
  }
});
