/** Tasks: long actions with their steps; one at a time for each object, kept by the database itself. */
import { GodwitError, type Task, type TaskId, type TaskKind, type TaskState } from "@godwit/contract";
import { sql, type Selectable } from "kysely";
import { isDuplicate, type Database, type Writes } from "./database.ts";
import { emit } from "./events.ts";
import type { Schema, TaskBody } from "./schema.ts";

const kept = 10_000;

export interface NewTask {
  id: TaskId;
  kind: TaskKind;
  subject: Task["subject"];
  request: Record<string, unknown>;
  actor: string;
  cancellable: boolean;
  /** The task that this one is a part of. */
  parent?: TaskId;
  /** The host that the task brings a VM to. */
  arrivesAt?: string;
}

export type TaskChange = Partial<TaskBody> & { state?: TaskState };

/** What is done to a task's object while the task goes on. */
export const whatOf: Record<TaskKind, string> = {
  "vm.create": "it is being created",
  "vm.configure": "its description is being changed",
  "vm.start": "it is being started",
  "vm.stop": "it is being stopped",
  "vm.delete": "it is being deleted",
  "vm.migrate": "it is being moved",
  "vm.relocate": "it is being relocated",
  "host.enterMaintenance": "it is being emptied for maintenance",
};

export class Tasks {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * @throws VM_BUSY, HOST_TASK_UNDER_WAY when the object has a task under way; DESTINATION_IN_MAINTENANCE when
   * the host that it brings a VM to takes none
   */
  async create(task: NewTask): Promise<Task> {
    const body: TaskBody = {
      steps: [],
      phase: null,
      progress: null,
      move: null,
      error: null,
      waitingFor: null,
      cancellable: task.cancellable,
    };
    try {
      return await this.#database.write(async (tx) => {
        if (task.arrivesAt !== undefined) await mustTakeVms(tx, task.arrivesAt);
        const row = await tx
          .insertInto("tasks")
          .values({
            id: task.id,
            kind: task.kind,
            subject_kind: task.subject.kind,
            subject_id: task.subject.id,
            subject_name: task.subject.name,
            state: "queued",
            request: JSON.stringify(task.request),
            body: JSON.stringify(body),
            actor: task.actor,
            parent: task.parent ?? null,
            arrives_at: task.arrivesAt ?? null,
          })
          .returningAll()
          .executeTakeFirstOrThrow();
        return await told(tx, taskOf(row));
      });
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      const other = await this.#activeOf(task);
      const details = { task: other?.id ?? "", what: whatOf[other?.kind ?? task.kind] };
      const { kind, name } = task.subject;
      if (kind === "host") {
        throw GodwitError.of("HOST_TASK_UNDER_WAY", { host: name, ...details }, { cause: error });
      }
      throw GodwitError.of("VM_BUSY", { vm: name, ...details }, { cause: error });
    }
  }

  async list(filter: { state?: TaskState | undefined; limit: number }): Promise<Task[]> {
    const rows = await this.#database.read((db) => {
      const all = db.selectFrom("tasks").selectAll().orderBy("created_at", "desc").limit(filter.limit);
      return (filter.state === undefined ? all : all.where("state", "=", filter.state)).execute();
    });
    return rows.map(taskOf);
  }

  /** @throws TASK_UNKNOWN */
  async show(id: TaskId): Promise<Task> {
    const row = await this.#database.read((db) =>
      db.selectFrom("tasks").selectAll().where("id", "=", id).executeTakeFirst(),
    );
    if (row === undefined) throw GodwitError.of("TASK_UNKNOWN", { task: id });
    return taskOf(row);
  }

  /** Tasks that have not ended, with what was asked: for a server that starts. */
  async unfinished(): Promise<{ task: Task; request: Record<string, unknown> }[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom("tasks").selectAll().where("ended_at", "is", null).orderBy("created_at").execute(),
    );
    return rows.map((row) => ({ task: taskOf(row), request: row.request }));
  }

  /** The tasks that are a part of this one, oldest first. */
  async childrenOf(id: TaskId): Promise<Task[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom("tasks").selectAll().where("parent", "=", id).orderBy("created_at").execute(),
    );
    return rows.map(taskOf);
  }

  /** Forgets the oldest tasks that have ended, each with its parts. @param keep how many there may be */
  async trim(keep = kept): Promise<void> {
    await this.#database.write(async (tx) => {
      await sql`
        with old as (
          select id from tasks t
          where parent is null and ended_at is not null
            and created_at < (select created_at from tasks order by created_at desc offset ${keep - 1} limit 1)
            and not exists (select from tasks part where part.parent = t.id and part.ended_at is null)
        )
        delete from tasks where id in (select id from old) or parent in (select id from old)`.execute(tx);
    });
  }

  /** Tasks under way that bring a VM to a host. */
  async arriving(): Promise<{ task: Task; host: string }[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("tasks")
        .selectAll()
        .where("ended_at", "is", null)
        .where("arrives_at", "is not", null)
        .execute(),
    );
    return rows.map((row) => ({ task: taskOf(row), host: row.arrives_at ?? "" }));
  }

  /** Changes a task that has not ended; one that has is answered as it is. */
  async change(id: TaskId, change: (task: Task) => TaskChange): Promise<Task> {
    return await this.#database.write(async (tx) => {
      const row = await tx
        .selectFrom("tasks")
        .selectAll()
        .where("id", "=", id)
        .forUpdate()
        .executeTakeFirst();
      if (row === undefined) throw GodwitError.of("TASK_UNKNOWN", { task: id });
      const task = taskOf(row);
      if (task.endedAt !== null) return task;
      const { state = row.state, ...body } = change(task);
      const ended = state === "succeeded" || state === "failed" || state === "cancelled";
      const changed = await tx
        .updateTable("tasks")
        .set({
          state,
          revision: row.revision + 1,
          body: JSON.stringify({ ...row.body, ...body }),
          ...(ended ? { ended_at: new Date() } : {}),
        })
        .where("id", "=", id)
        .returningAll()
        .executeTakeFirstOrThrow();
      return await told(tx, taskOf(changed));
    });
  }

  async #activeOf({ subject }: NewTask): Promise<Task | null> {
    const row = await this.#database.read((db) =>
      db
        .selectFrom("tasks")
        .selectAll()
        .where("ended_at", "is", null)
        .where("subject_kind", "=", subject.kind)
        .where((eb) => eb.or([eb("subject_id", "=", subject.id), eb("subject_name", "=", subject.name)]))
        .executeTakeFirst(),
    );
    return row === undefined ? null : taskOf(row);
  }
}

/** Under the lock that entering maintenance takes: whichever comes first is seen by the other. */
async function mustTakeVms(tx: Writes, host: string): Promise<void> {
  const row = await tx
    .selectFrom("hosts")
    .select("maintenance")
    .where("name", "=", host)
    .forShare()
    .executeTakeFirst();
  if (row !== undefined && row.maintenance !== "off") {
    throw GodwitError.of("DESTINATION_IN_MAINTENANCE", { host });
  }
}

async function told(tx: Writes, task: Task): Promise<Task> {
  await emit(tx, { type: "task.changed", subject: { kind: "task", id: task.id }, data: { task } });
  return task;
}

function taskOf(row: Selectable<Schema["tasks"]>): Task {
  return {
    ...row.body,
    id: row.id as TaskId,
    kind: row.kind,
    subject: {
      kind: row.subject_kind as Task["subject"]["kind"],
      id: row.subject_id,
      name: row.subject_name,
    },
    state: row.state,
    revision: row.revision,
    parent: row.parent as TaskId | null,
    actor: row.actor,
    createdAt: row.created_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
  };
}
