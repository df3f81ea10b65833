/** Every command, argument, reply field and event that Godwit names exists in the installed QEMU. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { commands, events, QmpSession } from "../src/index.ts";

type Entity = Record<string, unknown> & { name: string; "meta-type": string };
const byName = new Map<string, Entity>();
let folder = "";
let qemu: ReturnType<typeof spawn>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "qmp-schema-"));
  const path = join(folder, "qmp.sock");
  qemu = spawn("qemu-system-x86_64", [
    "-M",
    "none",
    "-display",
    "none",
    "-qmp",
    `unix:${path},server=on,wait=off`,
  ]);
  let session: QmpSession | undefined;
  // QEMU makes its socket some time after it is started and tells nobody.
  while (session === undefined) {
    session = await QmpSession.connect(path).catch(() => undefined);
    if (session === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const entity of await session.execute("query-qmp-schema"))
    byName.set(entity.name as string, entity as Entity);
  await session.execute("quit");
  await once(qemu, "exit");
}, 30_000);
afterAll(async () => {
  qemu.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** The members of an object type, those of all its variants too. */
function members(typeName: unknown): Map<string, unknown> {
  const type = byName.get(typeName as string);
  const own = (type?.members ?? []) as { name: string; type: string }[];
  const found = new Map<string, unknown>(own.map(({ name, type }) => [name, type]));
  for (const variant of (type?.variants ?? []) as { type: string }[]) {
    for (const [name, member] of members(variant.type)) found.set(name, member);
  }
  return found;
}

/** Each field of a zod object exists in the QAPI type, and so on downwards. */
function checkFields(schema: z.ZodType, typeName: unknown, at: string): void {
  const type = byName.get(typeName as string);
  if (schema instanceof z.ZodOptional) {
    checkFields(schema.unwrap() as z.ZodType, typeName, at);
  } else if (schema instanceof z.ZodArray) {
    expect(type?.["meta-type"], at).toBe("array");
    checkFields(schema.element as z.ZodType, type?.["element-type"], `${at}[]`);
  } else if (schema instanceof z.ZodObject) {
    const known = members(typeName);
    for (const [field, inner] of Object.entries(schema.shape)) {
      expect([...known.keys()], `${at}.${field}`).toContain(field);
      checkFields(inner as z.ZodType, known.get(field), `${at}.${field}`);
    }
  }
}

describe("commands", () => {
  test.each(Object.entries(commands))("%s", (name, { args, reply }) => {
    const command = byName.get(name);
    expect(command?.["meta-type"]).toBe("command");
    const known = [...members(command?.["arg-type"]).keys()];
    for (const argument of args) expect(known).toContain(argument);
    checkFields(reply, command?.["ret-type"], name);
  });
});

describe("events", () => {
  test.each(Object.entries(events))("%s", (name, fields) => {
    const event = byName.get(name);
    expect(event?.["meta-type"]).toBe("event");
    const known = [...members(event?.["arg-type"]).keys()];
    for (const field of fields) expect(known).toContain(field);
  });
});
