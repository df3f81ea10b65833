/**
 * Plans pools in threads of their own: a large plan takes seconds, in which the server answers as ever. Of a pool one plan
 * is made at a time, and of all pools as many as there are threads; what has to wait is not limited in time, the plan
 * itself is. A thread that is late or fails is ended, and the next plan gets a new one.
 */
import { Worker } from "node:worker_threads";
import { GodwitError } from "@godwit/contract";
import type {
  AdmissionAnswer,
  AdmissionQuestion,
  ConsolidationAnswer,
  PlaceAnswer,
  PlaceQuestion,
  PlanAnswer,
  PlanQuestion,
} from "@godwit/placement";
import type { Question, SavingQuestion } from "./plan-worker.ts";

export interface PlannerOptions {
  /** The program of the thread. */
  worker: URL;
  /** For one plan, the start of its thread included. */
  limitMs: number;
  threads: number;
  /** Of a thread's JavaScript heap. */
  memoryMib: number;
}

const defaults: PlannerOptions = {
  worker: new URL("plan-worker.ts", import.meta.url),
  limitMs: 60_000,
  threads: 2,
  memoryMib: 2048,
};
/** Plans that wait, of one pool. */
const mostWaiting = 16;

export class Planner {
  readonly #options: PlannerOptions;
  readonly #idle: Worker[] = [];
  readonly #running = new Set<Worker>();
  /** Of each pool the end of its last plan, and how many there are. */
  readonly #ofPool = new Map<string, { last: Promise<unknown>; count: number }>();
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #stopped = false;

  constructor(options: Partial<PlannerOptions> = {}) {
    this.#options = { ...defaults, ...options };
    this.#free = this.#options.threads;
  }

  /** @throws POOL_PLAN_LATE, POOL_PLAN_FAILED, POOL_PLANS_TOO_MANY */
  async plan(pool: string, question: PlanQuestion): Promise<PlanAnswer> {
    return (await this.#answer(pool, { kind: "plan", name: pool, ...question })) as PlanAnswer;
  }

  /** @throws POOL_PLAN_LATE, POOL_PLAN_FAILED, POOL_PLANS_TOO_MANY */
  async place(pool: string, question: PlaceQuestion): Promise<PlaceAnswer> {
    return (await this.#answer(pool, { kind: "place", ...question })) as PlaceAnswer;
  }

  /** @throws POOL_PLAN_LATE, POOL_PLAN_FAILED, POOL_PLANS_TOO_MANY */
  async admit(pool: string, question: AdmissionQuestion): Promise<AdmissionAnswer> {
    return (await this.#answer(pool, { kind: "admit", ...question })) as AdmissionAnswer;
  }

  /** @throws POOL_PLAN_LATE, POOL_PLAN_FAILED, POOL_PLANS_TOO_MANY */
  async consolidate(pool: string, question: SavingQuestion): Promise<ConsolidationAnswer> {
    return (await this.#answer(pool, { kind: "consolidate", ...question })) as ConsolidationAnswer;
  }

  async #answer(pool: string, question: Question): Promise<unknown> {
    const before = this.#ofPool.get(pool) ?? { last: Promise.resolve(), count: 0 };
    if (before.count > mostWaiting) throw GodwitError.of("POOL_PLANS_TOO_MANY", { pool, most: mostWaiting });
    const answer = before.last.then(() => this.#inThread(pool, question));
    const own = { last: answer.catch(() => undefined), count: before.count + 1 };
    this.#ofPool.set(pool, own);
    try {
      return await answer;
    } finally {
      const now = this.#ofPool.get(pool);
      if (now !== undefined && (now.count -= 1) === 0) this.#ofPool.delete(pool);
    }
  }

  /** Plans under way fail. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const next of this.#waiting.splice(0)) next();
    await Promise.all([...this.#idle.splice(0), ...this.#running].map((worker) => worker.terminate()));
  }

  async #inThread(pool: string, question: Question): Promise<unknown> {
    while (this.#free === 0 && !this.#stopped) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    if (this.#stopped) throw GodwitError.of("POOL_PLAN_FAILED", { pool, reason: "the server stops" });
    this.#free -= 1;
    const worker = this.#idle.pop() ?? this.#started();
    this.#running.add(worker);
    let isGood = false;
    try {
      const answer = await this.#asked(worker, pool, question);
      isGood = true;
      return answer;
    } finally {
      this.#running.delete(worker);
      if (isGood && !this.#isStopped()) this.#idle.push(worker);
      else await worker.terminate();
      this.#free += 1;
      this.#waiting.shift()?.();
    }
  }

  #isStopped(): boolean {
    return this.#stopped;
  }

  #started(): Worker {
    const { worker: program, memoryMib } = this.#options;
    const worker = new Worker(program, { resourceLimits: { maxOldGenerationSizeMb: memoryMib } });
    // One that ends while it is idle is not used again; one that works is heard by whoever asked it.
    worker.on("error", () => {
      const index = this.#idle.indexOf(worker);
      if (index >= 0) this.#idle.splice(index, 1);
    });
    // It alone does not keep the program running.
    worker.unref();
    return worker;
  }

  async #asked(worker: Worker, pool: string, question: Question): Promise<unknown> {
    const { limitMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const fail = (reason: string, cause?: unknown) => {
      reject(GodwitError.of("POOL_PLAN_FAILED", { pool, reason }, { cause }));
    };
    const failed = (error: Error) => {
      fail(error.message.replace(/\.$/, ""), error);
    };
    const ended = () => {
      fail("its thread was ended");
    };
    worker.once("message", resolve);
    worker.once("error", failed);
    worker.once("messageerror", failed);
    worker.once("exit", ended);
    const limit = setTimeout(() => {
      reject(GodwitError.of("POOL_PLAN_LATE", { pool, seconds: Math.round(limitMs / 1000) }));
    }, limitMs);
    try {
      worker.postMessage(question);
      return await promise;
    } finally {
      clearTimeout(limit);
      worker.off("message", resolve);
      worker.off("error", failed);
      worker.off("messageerror", failed);
      worker.off("exit", ended);
    }
  }
}
