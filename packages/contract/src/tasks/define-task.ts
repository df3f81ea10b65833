/**
 * A kind of task, as far as it is data: what is asked, what comes of it, how it is described, and which objects it
 * keeps busy. One file a kind. The union `Task`, the database's locks, the API document and the events derive from
 * these; the server pairs each with its `run`. Rows keep requests and results: whoever changes a schema here writes
 * a migration of the store for those that there are.
 */
import { z } from "zod";
import { problemSchema } from "../errors/schemas.ts";
import { nameSchema, taskIdSchema, vmIdSchema } from "../schemas/names.ts";
import {
  taskStateSchema,
  taskStepSchema,
  taskSubjectSchema,
  taskWaitSchema,
  type TaskSubject,
} from "../schemas/task.ts";

/** The objects that a task concerns. */
export interface TaskConcerns {
  /** No other task may have it while this one goes on. */
  subject: TaskSubject;
  /** The same for a name that is yet to become a VM's. */
  newVmName?: string;
  /** The host that a VM will be on at the end: one in maintenance refuses it. */
  arrivesAt?: string;
  /** All hosts that it works with: none of them is removed meanwhile. */
  hosts: readonly string[];
  /** Datastores that it brings something to, or takes something from: none of them is removed meanwhile. */
  datastores?: readonly string[];
}

export interface TaskDefinition<
  Kind extends string = string,
  Request extends z.ZodType = z.ZodType,
  Result extends z.ZodType = z.ZodType,
  Fields extends Record<string, z.ZodNullable> = Record<string, z.ZodNullable>,
  StepKey extends string = string,
  Cancellable extends boolean = boolean,
> {
  /** `noun.verb` */
  kind: Kind;
  /** All that `run` needs to know. */
  request: Request;
  /** Of a good end. */
  result: Result;
  /** What only this kind tells while it goes on; null at first. */
  fields: Fields;
  /** What it does, as in "start VM web-1 on host a". */
  describe: (request: z.output<Request>) => string;
  concerns: (request: z.output<Request>) => TaskConcerns;
  /** The steps whose results are kept, each in words; null: it is not shown. */
  steps: Record<StepKey, ((request: z.output<Request>) => string) | null>;
  cancellable: Cancellable;
}

export const defineTask = <
  const Kind extends string,
  Request extends z.ZodType,
  Result extends z.ZodType,
  Fields extends Record<string, z.ZodNullable>,
  StepKey extends string,
  const Cancellable extends boolean,
>(
  definition: TaskDefinition<Kind, Request, Result, Fields, StepKey, Cancellable>,
): TaskDefinition<Kind, Request, Result, Fields, StepKey, Cancellable> => definition;

/** A task of one kind as the API shows it. */
export const taskSchemaOf = <
  Kind extends string,
  Request extends z.ZodType,
  Result extends z.ZodType,
  Fields extends Record<string, z.ZodNullable>,
>({
  kind,
  request,
  result,
  fields,
}: Pick<TaskDefinition<Kind, Request, Result, Fields>, "kind" | "request" | "result" | "fields">) =>
  z.object({
    id: taskIdSchema,
    kind: z.literal(kind),
    /** What it does, in words. */
    description: z.string(),
    subject: taskSubjectSchema,
    request,
    state: taskStateSchema,
    /** Grows with every change. */
    revision: z.number().int(),
    steps: z.array(taskStepSchema),
    ...fields,
    /** What came of it, once it has succeeded. */
    result: result.nullable(),
    error: problemSchema.nullable(),
    waitingFor: taskWaitSchema.nullable(),
    cancellable: z.boolean(),
    /** The task that this one is a part of. */
    parent: taskIdSchema.nullable(),
    actor: z.string(),
    createdAt: z.iso.datetime(),
    endedAt: z.iso.datetime().nullable(),
  });

/** A VM as a request names it. */
export const vmReferenceSchema = z.object({ id: vmIdSchema, name: nameSchema });

export const vmSubject = ({ id, name }: { id: string; name: string }): TaskSubject => ({
  kind: "vm",
  id,
  name,
});
