/** The planner's thread: one question after the other. What it throws ends the thread, and is told by whoever asked. */
import { parentPort } from "node:worker_threads";
import {
  admitStart,
  consolidate,
  poolFromReports,
  placeReported,
  planReported,
  type AdmissionAnswer,
  type AdmissionQuestion,
  type ConsolidationAnswer,
  type ConsolidationQuestion,
  type PlaceAnswer,
  type PlaceQuestion,
  type PlanAnswer,
  type PlanQuestion,
  type PoolReports,
} from "@godwit/placement";

export type Question =
  | ({ kind: "plan"; name: string } & PlanQuestion)
  | ({ kind: "place" } & PlaceQuestion)
  | ({ kind: "admit" } & AdmissionQuestion)
  | ({ kind: "consolidate" } & SavingQuestion);

/** The pool as it was reported. */
export type SavingQuestion = Omit<ConsolidationQuestion, "pool"> & { reports: PoolReports };

parentPort?.on("message", (question: Question) => {
  parentPort?.postMessage(answer(question));
});

function answer(question: Question): PlanAnswer | PlaceAnswer | AdmissionAnswer | ConsolidationAnswer {
  switch (question.kind) {
    case "plan":
      return planReported(question, question.name);
    case "place":
      return placeReported(question);
    case "admit":
      return admitStart(question);
    case "consolidate":
      return consolidate({ ...question, pool: poolFromReports(question.reports) });
  }
}
