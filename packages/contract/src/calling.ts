/** What a caller of the API needs before it knows which operation: a door of its own, for commands that must start at once. */
export { problemSchema } from "./errors/schemas.ts";
export { eventHeadSchema, type EventHead } from "./events/event.ts";
export * from "./hello.ts";
export { parseJson } from "./json.ts";
export { loadServerOperation, type ServerOperations } from "./operations/load.ts";
export type { Answer, EventOf, Given, Operation, Operations } from "./operations/operation.ts";
