/** Every command, argument, reply field and event that Godwit names exists in the QEMUs of this machine. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import { argumentsSince, commands, events, migrationCapabilities, QmpSession } from "../src/index.ts";

type Entity = Record<string, unknown> & { name: string; "meta-type": string };
type Schema = ReadonlyMap<string, Entity>;

/** As 8.2; QEMU has had no second part of two digits. */
async function versionOf(binary: string): Promise<number> {
  const { stdout } = await promisify(execFile)(binary, ["--version"]);
  return Number(/version (\d+\.\d+)/.exec(stdout)?.[1]);
}

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

/** The members of an object type, those of all its variants too, each with the types that it has in one or the other. */
function members(schema: Schema, typeName: unknown): Map<string, string[]> {
  const type = schema.get(typeName as string);
  const own = (type?.members ?? []) as { name: string; type: string }[];
  const found = new Map(own.map(({ name, type }) => [name, [type]]));
  for (const variant of (type?.variants ?? []) as { type: string }[])
    for (const [name, types] of members(schema, variant.type))
      found.set(name, [...(found.get(name) ?? []), ...types]);
  return found;
}

/** Each field of a zod object exists in the QAPI type, and so on downwards. */
function checkFields(schema: Schema, shape: z.ZodType, typeNames: readonly unknown[], at: string): void {
  const types = typeNames.map((name) => schema.get(name as string));
  if (shape instanceof z.ZodOptional) {
    checkFields(schema, shape.unwrap() as z.ZodType, typeNames, at);
  } else if (shape instanceof z.ZodArray) {
    const arrays = types.filter((type) => type?.["meta-type"] === "array");
    expect(arrays, at).not.toEqual([]);
    const elements = arrays.map((type) => type?.["element-type"]);
    checkFields(schema, shape.element as z.ZodType, elements, `${at}[]`);
  } else if (shape instanceof z.ZodObject) {
    const all = typeNames.map((name) => members(schema, name));
    for (const [field, inner] of Object.entries(shape.shape)) {
      expect(
        all.flatMap((known) => [...known.keys()]),
        `${at}.${field}`,
      ).toContain(field);
      const found = all.flatMap((known) => known.get(field) ?? []);
      checkFields(schema, inner as z.ZodType, found, `${at}.${field}`);
    }
  }
}

/** The enumeration that `migrate-set-capabilities` takes, whatever name QEMU gives it. */
function capabilityType(schema: Schema): string {
  const command = schema.get("migrate-set-capabilities");
  const [list = ""] = members(schema, command?.["arg-type"]).get("capabilities") ?? [];
  const element = schema.get(list)?.["element-type"];
  return members(schema, element).get("capability")?.[0] ?? "";
}

describe.each(inject("qemuBinaries"))("%s", (binary) => {
  let schema: Schema;
  let version: number;
  beforeAll(async () => {
    schema = await schemaOf(binary);
    version = await versionOf(binary);
  });

  test.each(Object.entries(commands))("command %s", (name, { args, reply }) => {
    const command = schema.get(name);
    expect(command?.["meta-type"]).toBe("command");
    const known = [...members(schema, command?.["arg-type"]).keys()];
    const isTaken = (argument: string) => version >= (argumentsSince[argument] ?? 0);
    for (const argument of args) expect(known.includes(argument), argument).toBe(isTaken(argument));
    checkFields(schema, reply, [command?.["ret-type"]], name);
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
