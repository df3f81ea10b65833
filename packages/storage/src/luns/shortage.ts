/** That a group has not enough free extents, as LVM says it. Pure. */
import { extentBytes } from "./growth.ts";

/** Of `lvcreate`, and of `lvextend`. */
const made = /has insufficient free space \((\d{1,12}) extents\): (\d{1,12}) required/;
const grown = /Insufficient free space: (\d{1,12}) extents needed, but only (\d{1,12}) available/;

/** Null: it says nothing of that. @param output as an error has it */
export function shortageIn(output: unknown): { neededBytes: number; freeBytes: number } | null {
  const text = typeof output === "string" ? output : "";
  const [, free, needed] = made.exec(text) ?? [];
  const [, more, left] = grown.exec(text) ?? [];
  const [wanted, has] = [needed ?? more, free ?? left].map(Number) as [number, number];
  return Number.isNaN(wanted) ? null : { neededBytes: wanted * extentBytes, freeBytes: has * extentBytes };
}
