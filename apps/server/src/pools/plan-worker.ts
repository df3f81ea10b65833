/** The planner's thread: one question after the other. What it throws ends the thread, and is told by whoever asked. */
import { parentPort } from "node:worker_threads";
import {
  admitStart,
  placeReported,
  planReported,
  type AdmissionAnswer,
  type AdmissionQuestion,
  type PlaceAnswer,
  type PlaceQuestion,
  type PlanAnswer,
  type PlanQuestion,
} from "@godwit/placement";

export type Question =
  | ({ kind: "plan"; name: string } & PlanQuestion)
  | ({ kind: "place" } & PlaceQuestion)
  | ({ kind: "admit" } & AdmissionQuestion);

parentPort?.on("message", (question: Question) => {
  parentPort?.postMessage(answer(question));
});

function answer(question: Question): PlanAnswer | PlaceAnswer | AdmissionAnswer {
  switch (question.kind) {
    case "plan":
      return planReported(question, question.name);
    case "place":
      return placeReported(question);
    case "admit":
      return admitStart(question);
  }
}
