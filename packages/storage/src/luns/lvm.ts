/**
 * The door to LVM, on one LUN at a time: it sees no other device (`--devices`), none of the host's settings that matter here,
 * and it is the machine `godwit` to LVM. A volume group of Godwit's belongs to that machine (its system ID), so that other LVM
 * commands of a host refuse it while none of its volumes is active there, and warn where one is. What LVM prints is bounded and read with a schema.
 */
import { GodwitError, parseJson } from "@godwit/contract";
import { run, within, type RunResult } from "@godwit/system";
import { z } from "zod";

export const lvmProgram = "/sbin/lvm";
/** Of what only reads, or changes a few sectors. */
const limitMs = 30_000;
/** After which a command that cannot even be killed, since its storage hangs, is not waited for. */
const spareMs = 7000;

const settings = [
  'global{system_id_source="lvmlocal" use_lvmlockd=0 notify_dbus=0}',
  'local{system_id="godwit"}',
  // Whoever reads it on another host has to see what is there now, and a guest's own volume groups are none of ours.
  'devices{scan_lvs=0 hints="none" issue_discards=1}',
  "backup{backup=0 archive=0}",
  "activation{process_priority=0 monitoring=0 auto_activation_volume_list=[]}",
].join(" ");

export const lvmEnv: Readonly<Record<string, string>> = { LC_ALL: "C", LVM_SUPPRESS_FD_WARNINGS: "1" };

/** Commands by program and device that hang: none is added to them. */
const hanging = new Map<string, Promise<unknown>>();

/** The argument vector of an LVM command. Pure. */
export const lvmArguments = (device: string, [command = "", ...args]: readonly string[]): string[] => [
  ...[lvmProgram, command, "--devices", device, "--config", settings],
  ...args,
];

/** @throws PROGRAM_MISSING, PROGRAM_FAILED, also when it does not end */
export async function lvm(device: string, words: readonly string[], what: string): Promise<RunResult> {
  return await onDevice(device, lvmArguments(device, words), what);
}

/** Runs a program on a device, which may hang for as long as its storage does. @throws PROGRAM_MISSING, PROGRAM_FAILED */
export async function onDevice(
  device: string,
  [program = "", ...args]: readonly string[],
  what: string,
  { timeoutMs = limitMs, okCodes = [0] }: { timeoutMs?: number; okCodes?: readonly number[] } = {},
): Promise<RunResult> {
  const hangs = (): GodwitError =>
    GodwitError.of("PROGRAM_FAILED", { program, what, output: "it did not end in time: the LUN hangs" });
  const place = `${program} ${device}`;
  if (hanging.has(place)) throw hangs();
  const running = run(program, args, { what, timeoutMs, okCodes, env: lvmEnv });
  const result = await within(running, timeoutMs + spareMs);
  if (result !== null) return result;
  hanging.set(place, running);
  const over = (): void => {
    if (hanging.get(place) === running) hanging.delete(place);
  };
  running.then(over, over);
  throw hangs();
}

/** A group of volumes on a LUN. */
export interface GroupOnLun {
  name: string;
  tags: string[];
  sizeBytes: number;
  freeBytes: number;
  /** Writable as LVM has it, on one device, which is there. */
  isWhole: boolean;
}

const bytes = z.string().max(20).regex(/^\d+$/).transform(Number);
const text = z.string().max(4096);
const groupsSchema = z.object({
  report: z
    .array(
      z.object({
        vg: z
          .array(
            z.object({
              vg_name: text,
              vg_tags: text,
              vg_attr: text,
              vg_size: bytes,
              vg_free: bytes,
              pv_count: bytes,
              vg_missing_pv_count: bytes,
            }),
          )
          .max(100),
      }),
    )
    .length(1),
});
const volumesSchema = z.object({
  report: z
    .array(
      z.object({
        lv: z.array(z.object({ lv_name: text, lv_uuid: text, lv_size: bytes, lv_tags: text })).max(20_000),
      }),
    )
    .length(1),
});

const asJson = ["--reportformat", "json", "--units", "b", "--nosuffix"];
/** Of a report of one line. */
export const asRaw = ["--noheadings", "--units", "b", "--nosuffix"];

/** Those on the LUN that are this machine's to LVM. @throws PROGRAM_MISSING, PROGRAM_FAILED */
export async function groupsOn(device: string): Promise<GroupOnLun[]> {
  const fields = "vg_name,vg_tags,vg_attr,vg_size,vg_free,pv_count,vg_missing_pv_count";
  const { stdout } = await lvm(device, ["vgs", ...asJson, "-o", fields], `looking at ${device}`);
  return groupsIn(stdout);
}

/** @throws PROGRAM_FAILED for what is no such report. Pure. */
export function groupsIn(report: string): GroupOnLun[] {
  const [{ vg } = { vg: [] }] = parsed(groupsSchema, report).report;
  return vg.map((one) => ({
    name: one.vg_name,
    tags: tagsIn(one.vg_tags),
    ...{ sizeBytes: one.vg_size, freeBytes: one.vg_free },
    isWhole: one.vg_attr.startsWith("w") && one.pv_count === 1 && one.vg_missing_pv_count === 0,
  }));
}

export interface VolumeOnLun {
  uuid: string;
  sizeBytes: number;
  tags: string[];
}

/** By their names. @throws PROGRAM_MISSING, PROGRAM_FAILED */
export async function volumesOn(device: string, group: string): Promise<Map<string, VolumeOnLun>> {
  const { stdout } = await lvm(
    device,
    ["lvs", ...asJson, "-o", "lv_name,lv_uuid,lv_size,lv_tags", group],
    `listing the volumes on ${device}`,
  );
  return volumesIn(stdout);
}

/** @throws PROGRAM_FAILED for what is no such report. Pure. */
export function volumesIn(report: string): Map<string, VolumeOnLun> {
  const [{ lv } = { lv: [] }] = parsed(volumesSchema, report).report;
  return new Map(
    lv.map((one) => [one.lv_name, { uuid: one.lv_uuid, sizeBytes: one.lv_size, tags: tagsIn(one.lv_tags) }]),
  );
}

const tagsIn = (tags: string): string[] => tags.split(",").filter((tag) => tag !== "");

function parsed<T>(schema: z.ZodType<T>, report: string): T {
  let value: unknown = null;
  try {
    value = parseJson(report);
  } catch {
    // Which is no report either.
  }
  const found = schema.safeParse(value);
  if (found.success) return found.data;
  throw GodwitError.of("PROGRAM_FAILED", {
    ...{ program: "lvm", what: "reading what LVM reports" },
    output: "its report is not what was expected",
  });
}
