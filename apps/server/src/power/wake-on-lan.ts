/** Wake-on-LAN: a packet that a sleeping network card waits for. It turns a host on, tells nothing, and can do nothing else. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { PowerControl } from "./power-controller.ts";

/** Of the discard protocol, which nobody answers. */
const port = 9;
/** One may be lost. */
const packets = 3;

export const wakeOnLan = (mac: string, broadcast: string): PowerControl => ({
  power: () => Promise.resolve(null),
  turnOn: async () => {
    await send(magicPacket(mac), broadcast);
  },
  shutDown: null,
  cut: null,
});

/** Six bytes of ones, and the card's MAC address sixteen times. */
export function magicPacket(mac: string): Buffer {
  const address = Buffer.from(mac.replaceAll(":", ""), "hex");
  return Buffer.concat([Buffer.alloc(6, 0xff), ...Array<Buffer>(16).fill(address)]);
}

async function send(packet: Buffer, broadcast: string): Promise<void> {
  const socket = createSocket("udp4");
  try {
    socket.bind(0);
    await once(socket, "listening");
    socket.setBroadcast(true);
    for (let count = 0; count < packets; count += 1) {
      await new Promise<void>((resolve, reject) => {
        socket.send(packet, port, broadcast, (error) => {
          if (error === null) resolve();
          else reject(new Error(`the packet could not be sent to ${broadcast} (${error.message})`));
        });
      });
    }
  } finally {
    socket.close();
  }
}
