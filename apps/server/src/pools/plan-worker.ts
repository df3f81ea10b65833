/** The planner's thread: one question after the other. What it throws ends the thread, and is told by whoever asked. */
import { parentPort } from "node:worker_threads";
import { planReported, type PlanQuestion } from "@godwit/placement";

parentPort?.on("message", (question: PlanQuestion) => {
  parentPort?.postMessage(planReported(question));
});
