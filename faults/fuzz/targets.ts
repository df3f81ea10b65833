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
  parseJson,
  problemSchema,
  type Operation,
} from "@godwit/contract";
import { toDestinationWire, toSourceWire } from "@godwit/migration";
import { GuestLines, isSyncAnswer, refusalIn } from "../../packages/hypervisor/src/guest-agent-answers.ts";
import { parseRuntime } from "../../packages/hypervisor/src/runtime-file.ts";
import { imageHeader } from "../../packages/storage/src/image-header.ts";
import { ImportProblem } from "../../packages/storage/src/import/foreign-vm.ts";
import { readLibvirt } from "../../packages/storage/src/import/formats/libvirt.ts";
import { readOvf } from "../../packages/storage/src/import/formats/ovf.ts";
import { readProxmox } from "../../packages/storage/src/import/formats/proxmox.ts";
import { readVmx } from "../../packages/storage/src/import/formats/vmx.ts";
import { readManifest } from "../../packages/storage/src/import/manifest.ts";
import { paxRecords, tarHeader } from "../../packages/storage/src/import/tar-header.ts";
import { sparseHeader, vmdkDescriptor } from "../../packages/storage/src/vmdk.ts";
import { referenceIn } from "../../packages/storage/src/image-info.ts";
import { FrameReader } from "../../packages/qmp/src/frames.ts";
import { decodeLines, encodeLine } from "../../apps/agent/src/moves/journal.ts";

export interface Target {
  name: string;
  samples: string[];
  /** Throws only by a fault. @param n the number of the case, by which those with many schemas choose some */
  read: (text: string, n: number) => void;
}

const vm = {
  ...{ version: 1, id: "11111111-1111-4111-8111-111111111111", name: "web-1", datastore: "main" },
  ...{ memoryMib: 512, vcpus: 1, machine: "pc-q35-10.0", cpu: { model: "qemu64" } },
  disks: [{ name: "root", path: "web-1/root.qcow2", format: "qcow2" }],
  nics: [{ portGroup: "lan", mac: "52:54:00:00:00:01" }],
};
const json = (text: string): unknown => {
  try {
    return parseJson(text);
  } catch {
    return null;
  }
};
function qcow2Head(version: number, backingAt: bigint, incompatible: number): string {
  const head = Buffer.alloc(104);
  head.write("QFI\xfb", "latin1");
  head.writeUInt32BE(version, 4);
  head.writeBigUInt64BE(backingAt, 8);
  head.writeUInt32BE(incompatible, 76);
  return head.toString("latin1");
}

/** What a reader must not throw, if it throws at all: anything but a plain refusal in its own words. */
function refuses(read: () => unknown, words: string): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith(words)) throw error;
  }
}
/** A reader of another product's files refuses in its own words. */
function orProblem(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof ImportProblem)) throw error;
  }
}
const operations: Operation[] = [...Object.values(serverOperations), ...Object.values(agentOperations)];

/** Of many schemas each text is given to some, and each schema has its share of the texts. */
const shareOf = <T>(all: readonly T[], n: number): readonly T[] => {
  const shares = Math.ceil(all.length / 8);
  return all.filter((_, index) => index % shares === n % shares);
};
/** Many operations share their schemas: each is there once. */
const received = [...new Set(operations.flatMap(({ params, query, body }) => [params, query, body]))];
const answered = [...new Set(operations.flatMap(({ answer }) => [answer.body, answer.events]))];

/** Of requests; and, since the schemas do not mind, their paths and queries. */
export const bodies = [
  JSON.stringify({ token: "gwt1.x.0", name: "a", agentUrl: "https://10.0.0.1:1", validSeconds: 60 }),
  JSON.stringify({ to: "b", maxOutageMs: 50, vm, mode: "EX", number: 1, order: { vm }, graceSeconds: 0 }),
  JSON.stringify({ readOnly: "true", tailBytes: "10", after: "7", force: "false", user: "ann" }),
];

export const targets: Target[] = [
  {
    name: "HTTP bodies, paths and queries",
    samples: bodies,
    read: (text, n) => {
      const value = json(text);
      if (value === null && text !== "null") return; // such a body is refused by the parser
      for (const schema of shareOf(received, n)) schema?.safeParse(value);
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
    read: (text, n) => {
      const value = json(text);
      problemSchema.safeParse(value);
      for (const schema of shareOf(answered, n)) schema?.safeParse(value);
    },
  },
  {
    name: "QMP",
    samples: [
      '{"return": {}, "id": "1"}\n{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}}\n',
    ],
    read: (text) => {
      // A stream that is not QMP is refused by an error, which ends the session.
      refuses(() => new FrameReader(4096).push(Buffer.from(text)), "a line is ");
    },
  },
  { name: "vm.json", samples: [JSON.stringify(vm)], read: (text) => void vmSchema.safeParse(json(text)) },
  {
    name: "runtime.json",
    samples: [
      JSON.stringify({
        ...{ version: 1, identity: { pid: 4711, startTicks: 99 }, startedAt: "2026-01-01T00:00:00.000Z" },
        spec: {
          ...{ vm, accelerator: "kvm", incoming: false, kernelPath: null, initrdPath: null },
          ...{ diskPaths: { root: "/srv/main/web-1/root.qcow2" } },
          taps: [{ interfaceName: "gw00000000000", mac: "52:54:00:00:00:01" }],
        },
      }),
    ],
    read: (text) => {
      refuses(() => parseRuntime(text), "runtime.json is ");
    },
  },
  {
    name: "answers of guest agents",
    samples: [
      '{"return": 17}\n{"retu\u00ff{"return": 4711}\n',
      '{"error": {"class": "GenericError", "desc": "no clock"}}\n{"return": {}}\n',
    ],
    read: (text) => {
      const lines = new GuestLines();
      const bytes = Buffer.from(text, "latin1");
      const half = bytes.length >> 1;
      refuses(() => {
        for (const line of [...lines.push(bytes.subarray(0, half)), ...lines.push(bytes.subarray(half))]) {
          isSyncAnswer(line, 4711);
          refusalIn(line);
        }
      }, "the guest agent's port gives more ");
    },
  },
  {
    name: "output of the image probe",
    samples: [
      JSON.stringify({
        ...{ "virtual-size": 1_073_741_824, filename: "root.qcow2", format: "qcow2", "dirty-flag": false },
        ...{ "backing-filename": "/etc/passwd", "backing-filename-format": "raw" },
        "format-specific": { type: "qcow2", data: { compat: "1.1", "data-file": "x", corrupt: false } },
      }),
    ],
    read: (text) => {
      refuses(() => referenceIn(text), "qemu-img's answer is ");
    },
  },
  {
    name: "VMs of other products",
    samples: [
      'displayName = "web"\nmemsize = "64"\nscsi0:0.present = "TRUE"\nscsi0:0.fileName = "web.vmdk"\n',
      "name: web\nmemory: 64\nscsi0: local:100/vm-100-disk-0.qcow2,size=8G\nnet0: virtio=BC:24:11:00:11:22,bridge=vmbr0\n",
      "<domain><name>web</name><memory unit='MiB'>64</memory><devices><disk><target dev='vda'/></disk></devices></domain>",
      '<Envelope><VirtualSystem ovf:id="web"><VirtualHardwareSection><Item/></VirtualHardwareSection></VirtualSystem></Envelope>',
      `SHA256(web.vmdk)= ${"0".repeat(64)}\n`,
      '# Disk DescriptorFile\nparentCID=ffffffff\nRW 8 FLAT "web-flat.vmdk" 0\n',
    ],
    read: (text) => {
      const bytes = Buffer.from(text, "latin1");
      for (const read of [readVmx, readProxmox, readLibvirt, readOvf, readManifest])
        orProblem(() => read(text));
      for (const read of [tarHeader, paxRecords]) orProblem(() => read(bytes));
      vmdkDescriptor(text);
      sparseHeader(bytes);
    },
  },
  {
    name: "heads of images",
    samples: [
      qcow2Head(3, 0n, 4),
      qcow2Head(2, 512n, 0),
      `${"\0".repeat(64)}\x7f\x10\xda\xbe`,
      "KDMV",
      "conectix",
    ],
    read: (text) => void imageHeader(Buffer.from(text, "latin1")),
  },
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
