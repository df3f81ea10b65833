/**
 * Tasks: long actions with their steps; one at a time for each object, kept by the database itself. What a kind of
 * task is stands in the contract; nothing here reads one.
 */
import {
  GodwitError,
  isEnded,
  taskDefinitionOf,
  type PageRequest,
  type Task,
  type TaskFields,
  type TaskId,
  type TaskKind,
  type TaskOf,
  type TaskRequest,
  type TaskResult,
  type TaskState,
} from "@godwit/contract";
import { sql } from "kysely";
import { isDuplicate, type Database } from "./database.ts";
import { emit } from "./events.ts";
import { mustBeHosts } from "./must-be-hosts.ts";
import { pageOf, type Page } from "./page.ts";
import type { TaskBody, Writes } from "./schema.ts";
import { eventOfEnd } from "./task-ends.ts";
import { lockOf, locksOf, newBody, taskOf } from "./task-rows.ts";

const kept = 10_000;

export interface NewTask<K extends TaskKind = TaskKind> {
  id: TaskId;
  kind: K;
  request: TaskRequest<K>;
  actor: string;
  /** The task that this one is a part of. */
  parent?: TaskId | undefined;
}

/** What may change in a task of every kind. */
type CommonChange = Partial<Pick<Task, "state" | "steps" | "error" | "waitingFor" | "cancellable">>;
export type TaskChange<K extends TaskKind> =
  CommonChange | (CommonChange & Partial<TaskFields<K> & { result: TaskResult<K> }>);

export class Tasks {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Enters a task; entering the same one again answers it as it is.
   * @throws HOST_UNKNOWN when it needs one that is no member; VM_BUSY, HOST_TASK_UNDER_WAY when the object has a task under way; DESTINATION_IN_MAINTENANCE when
   * the host that it brings a VM to takes none
   */
  async create<K extends TaskKind>(task: NewTask<K>): Promise<TaskOf<K>> {
    const definition = taskDefinitionOf(task.kind);
    const concerns = definition.concerns(task.request);
    const { subject, arrivesAt, hosts } = concerns;
    const locks = locksOf(concerns);
    try {
      return await this.#database.write(async (tx) => {
        await mustBeHosts(tx, hosts);
        if (arrivesAt !== undefined) await mustTakeVms(tx, arrivesAt);
        const row = await tx
          .insertInto("tasks")
          .values({
            id: task.id,
            kind: task.kind,
            subject_kind: subject.kind,
            subject_id: subject.id,
            subject_name: subject.name,
            state: "queued",
            request: JSON.stringify(task.request),
            body: JSON.stringify(newBody(definition)),
            actor: task.actor,
            parent: task.parent ?? null,
            arrives_at: arrivesAt ?? null,
          })
          .returningAll()
          .executeTakeFirstOrThrow();
        await tx
          .insertInto("task_locks")
          .values(locks.map((name) => ({ name, task: task.id })))
          .execute();
        return (await announce(tx, taskOf(row))) as TaskOf<K>;
      });
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      const other = await this.#holderOf(locks);
      // Entered before, with the answer lost on the way.
      if (other?.id === task.id) return other as TaskOf<K>;
      const details = { task: other?.id ?? "", what: other?.description ?? "another task is under way" };
      const { kind, name } = subject;
      if (kind === "host") {
        throw GodwitError.of("HOST_TASK_UNDER_WAY", { host: name, ...details }, { cause: error });
      }
      if (kind === "pool") {
        throw GodwitError.of("POOL_TASK_UNDER_WAY", { pool: name, ...details }, { cause: error });
      }
      if (kind === "image") {
        throw GodwitError.of("LIBRARY_IMAGE_BUSY", { image: name, ...details }, { cause: error });
      }
      throw GodwitError.of("VM_BUSY", { vm: name, ...details }, { cause: error });
    }
  }

  /** The newest first. */
  async page(filter: PageRequest & { state?: TaskState | undefined }): Promise<Page<Task>> {
    const { state, limit, cursor } = filter;
    const rows = await this.#database.read((db) => {
      let query = db
        .selectFrom("tasks")
        .selectAll()
        .orderBy("number", "desc")
        .limit(limit + 1);
      if (state !== undefined) query = query.where("state", "=", state);
      if (cursor !== undefined) query = query.where("number", "<", cursor);
      return query.execute();
    });
    const { rows: shown, next } = pageOf(rows, limit, ({ number }) => number);
    return { rows: shown.map(taskOf), next };
  }

  async list(filter: PageRequest & { state?: TaskState | undefined }): Promise<Task[]> {
    return (await this.page(filter)).rows;
  }

  /** @throws TASK_UNKNOWN */
  async show(id: TaskId): Promise<Task> {
    const row = await this.#database.read((db) =>
      db.selectFrom("tasks").selectAll().where("id", "=", id).executeTakeFirst(),
    );
    if (row === undefined) throw GodwitError.of("TASK_UNKNOWN", { task: id });
    return taskOf(row);
  }

  /** Tasks that have not ended, oldest first. */
  async unfinished(): Promise<Task[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom("tasks").selectAll().where("ended_at", "is", null).orderBy("number").execute(),
    );
    return rows.map(taskOf);
  }

  /** Moves of running VMs that ended since then. */
  async recentMoves(
    since: Date,
  ): Promise<{ vmId: string; task: TaskId; endedAtMs: number; failed: boolean }[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("tasks")
        .select(["id", "subject_id", "state", "ended_at"])
        .where("kind", "=", "vm.migrate")
        .where("ended_at", ">=", since)
        .orderBy("number")
        .execute(),
    );
    return rows.map(({ id, subject_id: vmId, state, ended_at: endedAt }) => ({
      ...{ vmId, task: id as TaskId, failed: state === "failed" },
      endedAtMs: endedAt?.getTime() ?? 0,
    }));
  }

  /** Starts by this actor that ended since then. */
  async recentStarts(
    actor: string,
    since: Date,
  ): Promise<{ vmId: string; task: TaskId; host: string; endedAtMs: number; failed: boolean }[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("tasks")
        .select(["id", "subject_id", "state", "ended_at", sql<string>`request->>'host'`.as("host")])
        .where("kind", "=", "vm.start")
        .where("actor", "=", actor)
        .where("ended_at", ">=", since)
        .orderBy("number")
        .execute(),
    );
    return rows.map(({ id, subject_id: vmId, state, ended_at: endedAt, host }) => ({
      ...{ vmId, task: id as TaskId, host, failed: state !== "succeeded" },
      endedAtMs: endedAt?.getTime() ?? 0,
    }));
  }

  /** Resets of hanging guests that were begun since then, by VM id: how many. */
  async recentResets(since: Date): Promise<Map<string, number>> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("tasks")
        .select(({ fn }) => ["subject_id", fn.countAll<string>().as("count")])
        .where("kind", "=", "vm.reset")
        .where(sql<boolean>`request ? 'hang'`)
        .where("created_at", ">=", since)
        .groupBy("subject_id")
        .execute(),
    );
    return new Map(rows.map(({ subject_id: vmId, count }) => [vmId, Number(count)]));
  }

  /** The newest of a kind about one object; null: there is none. */
  async newest(kind: TaskKind, subject: string): Promise<Task | null> {
    const row = await this.#database.read((db) =>
      db
        .selectFrom("tasks")
        .selectAll()
        .where("kind", "=", kind)
        .where("subject_id", "=", subject)
        .orderBy("number", "desc")
        .limit(1)
        .executeTakeFirst(),
    );
    return row === undefined ? null : taskOf(row);
  }

  /** The tasks that are a part of this one, oldest first. */
  async childrenOf(id: TaskId): Promise<Task[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom("tasks").selectAll().where("parent", "=", id).orderBy("number").execute(),
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
            and number < (select number from tasks order by number desc offset ${keep - 1} limit 1)
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

  /** Changes a task that has not ended; one that has is answered as it is, and so is one that nothing changes in. */
  async change<K extends TaskKind>(
    id: TaskId,
    change: (task: TaskOf<K>) => TaskChange<K>,
  ): Promise<TaskOf<K>> {
    return await this.#database.write((tx) => changed(tx, id, change));
  }

  /** Keeps the result of a step, and changes the task as that is known. Doing it again changes nothing more. */
  async finishStep<K extends TaskKind>(
    id: TaskId,
    step: { key: string; result: unknown },
    change: (task: TaskOf<K>) => TaskChange<K>,
  ): Promise<TaskOf<K>> {
    const result = JSON.stringify({ value: step.result });
    return await this.#database.write(async (tx) => {
      await tx
        .insertInto("task_steps")
        .values({ task: id, key: step.key, result })
        .onConflict((conflict) => conflict.columns(["task", "key"]).doUpdateSet({ result }))
        .execute();
      return await changed(tx, id, change);
    });
  }

  /**
   * Keeps an object busy for a task under way, beside its subject, until it lets go or ends; doing it again changes nothing.
   * @throws HOST_TASK_UNDER_WAY when another task has it
   */
  async hold(id: TaskId, host: string): Promise<void> {
    const name = lockOf({ kind: "host", id: host });
    await this.#database.write(async (tx) => {
      await tx
        .insertInto("task_locks")
        .values({ name, task: id })
        .onConflict((conflict) => conflict.column("name").doNothing())
        .execute();
      const holder = await taskOn(tx, { kind: "host", id: host });
      if (holder === null || holder.id === id) return;
      const details = { host, task: holder.id, what: holder.description };
      throw GodwitError.of("HOST_TASK_UNDER_WAY", details);
    });
  }

  async letGo(id: TaskId, host: string): Promise<void> {
    const name = lockOf({ kind: "host", id: host });
    await this.#database.write(async (tx) => {
      await tx.deleteFrom("task_locks").where("name", "=", name).where("task", "=", id).execute();
    });
  }

  /** The result of a step that is done; null when it is not. */
  async stepResult(id: TaskId, key: string): Promise<{ value: unknown } | null> {
    const row = await this.#database.read((db) =>
      db
        .selectFrom("task_steps")
        .select("result")
        .where("task", "=", id)
        .where("key", "=", key)
        .executeTakeFirst(),
    );
    return row?.result ?? null;
  }

  async #holderOf(locks: readonly string[]): Promise<Task | null> {
    const row = await this.#database.read((db) =>
      db
        .selectFrom("tasks")
        .selectAll("tasks")
        .innerJoin("task_locks", "task_locks.task", "tasks.id")
        .where("task_locks.name", "in", locks)
        .executeTakeFirst(),
    );
    return row === undefined ? null : taskOf(row);
  }
}

/** The tasks under way that need a host. */
export async function tasksNeeding(tx: Writes, host: string): Promise<Task[]> {
  return (await tasksUnderWay(tx)).filter(({ kind, request }) =>
    taskDefinitionOf(kind).concerns(request).hosts.includes(host),
  );
}

/** In order of their numbers. */
export async function tasksUnderWay(tx: Writes): Promise<Task[]> {
  const rows = await tx
    .selectFrom("tasks")
    .selectAll()
    .where("ended_at", "is", null)
    .orderBy("number")
    .execute();
  return rows.map(taskOf);
}

/** The task under way that keeps an object busy. */
export async function taskOn(tx: Writes, object: Parameters<typeof lockOf>[0]): Promise<Task | null> {
  const row = await tx
    .selectFrom("tasks")
    .selectAll("tasks")
    .innerJoin("task_locks", "task_locks.task", "tasks.id")
    .where("task_locks.name", "=", lockOf(object))
    .executeTakeFirst();
  return row === undefined ? null : taskOf(row);
}

async function changed<K extends TaskKind>(
  tx: Writes,
  id: TaskId,
  change: (task: TaskOf<K>) => TaskChange<K>,
): Promise<TaskOf<K>> {
  const row = await tx.selectFrom("tasks").selectAll().where("id", "=", id).forUpdate().executeTakeFirst();
  if (row === undefined) throw GodwitError.of("TASK_UNKNOWN", { task: id });
  const task = taskOf(row) as TaskOf<K>;
  if (task.endedAt !== null) return task;
  const changes = change(task);
  if (Object.keys(changes).length === 0) return task;
  const { state = row.state, ...body } = changes;
  const ended = isEnded({ state });
  if (ended) await tx.deleteFrom("task_locks").where("task", "=", id).execute();
  const after = await tx
    .updateTable("tasks")
    .set({
      state,
      revision: row.revision + 1,
      body: JSON.stringify({ ...row.body, ...body } satisfies TaskBody),
      ...(ended ? { ended_at: sql<Date>`clock_timestamp()` } : {}),
    })
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirstOrThrow();
  const told = (await announce(tx, taskOf(after))) as TaskOf<K>;
  const event = ended ? eventOfEnd(told) : null;
  if (event !== null) await emit(tx, event);
  return told;
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

async function announce(tx: Writes, task: Task): Promise<Task> {
  await emit(tx, { type: "task.changed", subject: { kind: "task", id: task.id }, data: { task } });
  return task;
}
