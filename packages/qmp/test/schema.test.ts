/** Every command, argument, reply field and event that Godwit names exists in the QEMUs of this machine. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { commands, events, migrationCapabilities, QmpSession } from "../src/index.ts";

type Entity = Record<string, unknown> & { name: string; "meta-type": string };
type Schema = ReadonlyMap<string, Entity>;

/** What a QEMU says of itself, by name. */
async function schemaOf(binary: string): Promise<Schema> {
  const folder = await mkdtemp(join(tmpdir(), "qmp-schema-"));
  const path = join(folder, "qmp.sock");
  const qemu = spawn(binary, ["-M", "none", "-display", "none", "-qmp", `unix:${path},server=on,wait=off`]);
  try {
    let session: QmpSession | undefined;
    // QEMU makes its socket some time after it is started and tells nobody.
    while (session === undefined) {
      session = await QmpSession.connect(path).catch(() => undefined);
      if (session === undefined) await sleep(20);
    }
    const entities = (await session.execute("query-qmp-schema")) as unknown as Entity[];
    await session.execute("quit");
    await once(qemu, "exit");
    return new Map(entities.map((entity) => [entity.name, entity]));
  } finally {
    qemu.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}

/** The members of an object type, those of all its variants too. */
function members(schema: Schema, typeName: unknown): Map<string, unknown> {
  const type = schema.get(typeName as string);
  const own = (type?.members ?? []) as { name: string; type: string }[];
  const found = new Map<string, unknown>(own.map(({ name, type }) => [name, type]));
  for (const variant of (type?.variants ?? []) as { type: string }[]) {
    for (const [name, member] of members(schema, variant.type)) found.set(name, member);
  }
  return found;
}

/** Each field of a zod object exists in the QAPI type, and so on downwards. */
function checkFields(schema: Schema, shape: z.ZodType, typeName: unknown, at: string): void {
  const type = schema.get(typeName as string);
  if (shape instanceof z.ZodOptional) {
    checkFields(schema, shape.unwrap() as z.ZodType, typeName, at);
  } else if (shape instanceof z.ZodArray) {
    expect(type?.["meta-type"], at).toBe("array");
    checkFields(schema, shape.element as z.ZodType, type?.["element-type"], `${at}[]`);
  } else if (shape instanceof z.ZodObject) {
    const known = members(schema, typeName);
    for (const [field, inner] of Object.entries(shape.shape)) {
      expect([...known.keys()], `${at}.${field}`).toContain(field);
      checkFields(schema, inner as z.ZodType, known.get(field), `${at}.${field}`);
    }
  }
}

/** The enumeration that `migrate-set-capabilities` takes, whatever name QEMU gives it. */
function capabilityType(schema: Schema): string {
  const command = schema.get("migrate-set-capabilities");
  const list = members(schema, command?.["arg-type"]).get("capabilities") as string;
  const element = schema.get(list)?.["element-type"];
  return members(schema, element).get("capability") as string;
}

describe.each(inject("qemuBinaries"))("%s", (binary) => {
  let schema: Schema;
  beforeAll(async () => {
    schema = await schemaOf(binary);
  }, 30_000);

  test.each(Object.entries(commands))("command %s", (name, { args, reply }) => {
    const command = schema.get(name);
    expect(command?.["meta-type"]).toBe("command");
    const known = [...members(schema, command?.["arg-type"]).keys()];
    for (const argument of args) expect(known).toContain(argument);
    checkFields(schema, reply, command?.["ret-type"], name);
  });

  test("the capabilities of migrations", () => {
    const { members: known } = schema.get(capabilityType(schema)) as { members?: { name: string }[] };
    const names = (known ?? []).map(({ name }) => name);
    for (const capability of migrationCapabilities) expect(names).toContain(capability);
  });

  test.each(Object.entries(events))("event %s", (name, fields) => {
    const event = schema.get(name);
    expect(event?.["meta-type"]).toBe("event");
    const known = [...members(schema, event?.["arg-type"]).keys()];
    for (const field of fields) expect(known).toContain(field);
  });
});
