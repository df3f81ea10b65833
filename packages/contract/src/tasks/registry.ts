/** All kinds of task. Everything that is there for each kind derives from this list. */
import { z } from "zod";
import type { MoveRecord } from "../schemas/move.ts";
import { taskSchemaOf, type TaskDefinition } from "./define-task.ts";
import { hostEnterMaintenance } from "./host-enter-maintenance.ts";
import { hostPowerOff } from "./host-power-off.ts";
import { hostPowerOn } from "./host-power-on.ts";
import { hostRenewQemu } from "./host-renew-qemu.ts";
import { imageAdd } from "./image-add.ts";
import { poolUpdate } from "./pool-update.ts";
import { vmChangeDevice } from "./vm-change-device.ts";
import { vmClone } from "./vm-clone.ts";
import { vmConfigure } from "./vm-configure.ts";
import { vmCreate } from "./vm-create.ts";
import { vmCreateSnapshot } from "./vm-create-snapshot.ts";
import { vmDelete } from "./vm-delete.ts";
import { vmDeleteSnapshot } from "./vm-delete-snapshot.ts";
import { vmExport } from "./vm-export.ts";
import { vmMigrate } from "./vm-migrate.ts";
import { vmPause } from "./vm-pause.ts";
import { vmRelocate } from "./vm-relocate.ts";
import { vmRelocateDisks } from "./vm-relocate-disks.ts";
import { vmReset } from "./vm-reset.ts";
import { vmResume } from "./vm-resume.ts";
import { vmRevertToSnapshot } from "./vm-revert-to-snapshot.ts";
import { vmStart } from "./vm-start.ts";
import { vmStop } from "./vm-stop.ts";
import { vmSuspend } from "./vm-suspend.ts";

const definitions = [
  vmCreate,
  vmClone,
  vmConfigure,
  vmChangeDevice,
  vmStart,
  vmStop,
  vmPause,
  vmResume,
  vmSuspend,
  vmReset,
  vmDelete,
  vmMigrate,
  vmRelocate,
  vmRelocateDisks,
  vmCreateSnapshot,
  vmRevertToSnapshot,
  vmDeleteSnapshot,
  vmExport,
  imageAdd,
  hostEnterMaintenance,
  hostRenewQemu,
  hostPowerOff,
  hostPowerOn,
  poolUpdate,
] as const;

type Definitions = typeof definitions;
type Definition = Definitions[number];
type SchemaOf<D> =
  D extends TaskDefinition<infer Kind, infer Request, infer Result, infer Fields>
    ? ReturnType<typeof taskSchemaOf<Kind, Request, Result, Fields>>
    : never;

type SchemasOf<List extends readonly unknown[]> = { [I in keyof List]: SchemaOf<List[I]> };

export type TaskKind = Definition["kind"];
export type TaskDefinitions = { [D in Definition as D["kind"]]: D };
type TaskSchemas = { [D in Definition as D["kind"]]: SchemaOf<D> };

const taskDefinitions = Object.fromEntries(
  definitions.map((definition) => [definition.kind, definition]),
) as TaskDefinitions;

/** The definition of a kind, for those to whom all kinds are alike. */
export const taskDefinitionOf = (kind: TaskKind): TaskDefinition =>
  taskDefinitions[kind] as unknown as TaskDefinition;

/** A task of each kind. */
export const taskSchemas = Object.fromEntries(
  definitions.map((definition) => [definition.kind, taskSchemaOf(definition as TaskDefinition)]),
) as unknown as TaskSchemas;

/** A task of any kind. */
export const taskSchema = z.discriminatedUnion(
  "kind",
  Object.values(taskSchemas) as unknown as SchemasOf<Definitions>,
);
export type Task = z.infer<typeof taskSchema>;
export type TaskOf<K extends TaskKind> = Extract<Task, { kind: K }>;

export type TaskRequest<K extends TaskKind> = z.output<TaskDefinitions[K]["request"]>;
export type TaskResult<K extends TaskKind> = z.output<TaskDefinitions[K]["result"]>;
export type TaskStepKey<K extends TaskKind> = keyof TaskDefinitions[K]["steps"] & string;
/** What only tasks of this kind tell while they go on. */
export type TaskFields<K extends TaskKind> = {
  [F in keyof TaskDefinitions[K]["fields"]]: z.output<TaskDefinitions[K]["fields"][F]>;
};
/** Kinds that can be cancelled. */
export type CancellableKind = Extract<Definition, { cancellable: true }>["kind"];

/** The record of the move that a task is; null for every other task, and before the source has answered. */
export const moveOf = (task: Task): MoveRecord | null => (task.kind === "vm.migrate" ? task.move : null);
