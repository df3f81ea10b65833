import { isComparable } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameReader, type Frame } from "../src/frames.ts";

/** A field `length` that is an object makes no frame: `parseJson` refuses it. */
const frame = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 }).filter(isComparable);

/** Cuts bytes at the given places, in any number of pieces. */
function pieces(bytes: Buffer, cuts: number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...places, bytes.length].map((end, i) => bytes.subarray(places[i - 1] ?? 0, end));
}

test("frames come out as they went in, however the bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.nat()), (frames, cuts) => {
      const bytes = Buffer.from(frames.map((one) => `${JSON.stringify(one)}\r\n`).join(""));
      const reader = new FrameReader();
      const read: Frame[] = pieces(bytes, cuts).flatMap((piece) => reader.push(piece));
      expect(JSON.stringify(read)).toBe(
        JSON.stringify(frames.map((one) => JSON.parse(JSON.stringify(one)) as Frame)),
      );
      expect(reader.pendingBytes).toBe(0);
    }),
  );
});

test("a frame whose field length is an object is refused, not read as another", () => {
  for (const text of ['{"length":[]}', '{"return":{"length":{}}}'])
    expect(() => new FrameReader().push(Buffer.from(`${text}\n`))).toThrow("not JSON");
});

test("garbage is refused or waited for, and never anything else", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (chunks) => {
      const reader = new FrameReader(1000);
      try {
        for (const chunk of chunks)
          for (const one of reader.push(Buffer.from(chunk))) expect(typeof one).toBe("object");
      } catch (error) {
        expect((error as Error).message).toMatch(/not JSON|not a JSON object|longer than/);
      }
    }),
  );
});

test("a line without end is cut off at the limit", () => {
  const reader = new FrameReader(100);
  expect(reader.push(Buffer.alloc(100, 0x20))).toEqual([]);
  expect(() => reader.push(Buffer.from("x"))).toThrow("longer than 100 bytes");
});
