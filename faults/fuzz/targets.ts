/**
 * Everything that reads what a less trusted side says: what it must do with each text is to return, whatever the text.
 * A target begins with texts that are right; the fuzzer changes them.
 */
import { crc32 } from "node:zlib";
import {
  agentOperations,
  readConsoleMessage,
  serverOperations,
  vmSchema,
  problemSchema,
  type Operation,
} from "@godwit/contract";
import { toDestinationWire, toSourceWire } from "@godwit/migration";
import { FrameReader } from "../../packages/qmp/src/frames.ts";
import { decodeLines, encodeLine } from "../../apps/agent/src/moves/journal.ts";

export interface Target {
  name: string;
  samples: string[];
  /** Throws only by a fault. */
  read: (text: string) => void;
}

const vm = {
  ...{ version: 1, id: "11111111-1111-4111-8111-111111111111", name: "web-1", datastore: "main" },
  ...{ memoryMib: 512, vcpus: 1, machine: "pc-q35-10.0", cpu: { model: "qemu64" } },
  disks: [{ name: "root", path: "web-1/root.qcow2", format: "qcow2" }],
  nics: [{ portGroup: "lan", mac: "52:54:00:00:00:01" }],
};
const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};
const operations: Operation[] = [...Object.values(serverOperations), ...Object.values(agentOperations)];

export const targets: Target[] = [
  {
    name: "HTTP bodies, paths and queries",
    samples: [
      JSON.stringify({ token: "gwt1.x.0", name: "a", agentUrl: "https://10.0.0.1:1", validSeconds: 60 }),
      JSON.stringify({ to: "b", maxOutageMs: 50, vm, mode: "EX", number: 1, order: { vm }, graceSeconds: 0 }),
      JSON.stringify({ readOnly: "true", tailBytes: "10", after: "7", force: "false", user: "ann" }),
    ],
    read: (text) => {
      const value = json(text);
      for (const { params, query, body } of operations) {
        for (const schema of [params, query, body]) schema?.safeParse(value);
      }
    },
  },
  {
    name: "messages of consoles",
    samples: ['{"type":"attached","host":"a","process":"1","at":0}', '{"type":"waiting","host":"a"}'],
    read: (text) => void readConsoleMessage(text),
  },
  {
    name: "messages of other agents",
    samples: [
      '{"type":"prepare","order":{"id":"11111111-1111-4111-8111-111111111111","from":"a","to":{"host":"b"}}}',
      '{"type":"gaveUp","problem":{"code":"INTERNAL","details":{}}}',
      '{"type":"gone"}',
    ],
    read: (text) => {
      for (const version of [1, 2]) {
        toDestinationWire.read(json(text), version);
        toSourceWire.read(json(text), version);
      }
    },
  },
  {
    name: "answers of hosts",
    samples: [
      '{"type":"x","title":"x","status":400,"code":"INTERNAL","details":{}}',
      JSON.stringify({ name: "a", vms: [vm] }),
    ],
    read: (text) => {
      const value = json(text);
      problemSchema.safeParse(value);
      for (const { answer } of Object.values(agentOperations) as Operation[]) {
        answer.body?.safeParse(value);
        answer.events?.safeParse(value);
      }
    },
  },
  {
    name: "QMP",
    samples: [
      '{"return": {}, "id": "1"}\n{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}}\n',
    ],
    read: (text) => {
      // A stream that is not QMP is refused by an error, which ends the session.
      try {
        new FrameReader(4096).push(Buffer.from(text));
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith("a line is ")) throw error;
      }
    },
  },
  { name: "vm.json", samples: [JSON.stringify(vm)], read: (text) => void vmSchema.safeParse(json(text)) },
  {
    name: "journals",
    samples: [
      encodeLine({ at: "prepared" }) + encodeLine({ at: "gone", x: [1] }),
      `2 ${crc32("{nope").toString(16).padStart(8, "0")} {nope\n`,
    ],
    read: (text) => {
      for (const role of ["source", "destination"] as const) decodeLines(role, Buffer.from(text, "latin1"));
    },
  },
];
