/** Tasks as rows: what is kept of one, and the task that a row is. */
import {
  taskDefinitionOf,
  type Task,
  type TaskConcerns,
  type TaskDefinition,
  type TaskId,
  type TaskSubject,
} from "@godwit/contract";
import type { Selectable } from "kysely";
import type { Schema, TaskBody } from "./schema.ts";

/** The body of a task that has just been entered. */
export function newBody({ fields, cancellable }: TaskDefinition): TaskBody {
  const none = Object.fromEntries(Object.keys(fields).map((name) => [name, null]));
  return { steps: [], error: null, waitingFor: null, result: null, cancellable, ...none };
}

export function taskOf(row: Selectable<Schema["tasks"]>): Task {
  const definition = taskDefinitionOf(row.kind);
  const { steps, error, waitingFor, result, cancellable } = row.body;
  return {
    id: row.id as TaskId,
    kind: row.kind,
    description: definition.describe(row.request),
    subject: {
      kind: row.subject_kind as TaskSubject["kind"],
      id: row.subject_id,
      name: row.subject_name,
    },
    request: row.request,
    state: row.state,
    revision: row.revision,
    steps,
    ...fieldsOf(definition, row.body),
    result,
    error,
    waitingFor,
    cancellable,
    parent: row.parent as TaskId | null,
    actor: row.actor,
    createdAt: row.created_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
  } as Task;
}

/** A field that an earlier version kept in another form is left out. */
function fieldsOf({ fields }: TaskDefinition, body: TaskBody): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, schema]) => {
      const read = schema.safeParse(body[name] ?? null);
      return [name, read.success ? read.data : null];
    }),
  );
}

/** The locks that a task holds until it has ended. */
export const locksOf = ({ subject, newVmName }: TaskConcerns): string[] => [
  lockOf(subject),
  ...(newVmName === undefined ? [] : [`vm-name:${newVmName}`]),
];

export const lockOf = ({ kind, id }: Pick<TaskSubject, "kind" | "id">): string => `${kind}:${id}`;
