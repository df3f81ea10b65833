/** A typed client of Godwit's APIs. */
export { hostAnswers } from "./bounded.ts";
export { Client, type ClientOptions } from "./client.ts";
export { sharedContext, type ClientTls } from "./tls.ts";
