/** The planner's thread: one question after the other. What it throws ends the thread, and is told by whoever asked. */
import { parentPort } from "node:worker_threads";
import { placeReported, planReported, type PlaceQuestion, type PlanQuestion } from "@godwit/placement";

export type Question = ({ kind: "plan" } & PlanQuestion) | ({ kind: "place" } & PlaceQuestion);

parentPort?.on("message", (question: Question) => {
  parentPort?.postMessage(question.kind === "plan" ? planReported(question) : placeReported(question));
});
