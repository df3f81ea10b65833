/** The packet of Wake-on-LAN, taken from the wire. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, test } from "vitest";
import { wakeOnLan } from "../../src/power/wake-on-lan.ts";

test("a broadcast to the discard port carries six bytes of ones and the MAC address sixteen times", async () => {
  await using wire = createSocket("udp4");
  wire.bind(9, "0.0.0.0");
  await once(wire, "listening");
  const received = once(wire, "message");
  const control = wakeOnLan("3c:ec:ef:12:34:56", "127.255.255.255");
  await control.turnOn();
  const [packet] = (await received) as [Buffer];
  expect(packet.toString("hex")).toBe("ffffffffffff" + "3cecef123456".repeat(16));
  expect(await control.power()).toBeNull();
  expect([control.shutDown, control.cut]).toEqual([null, null]);
});
