/** A typed client of Godwit's APIs. */
export { Client, type ClientOptions } from "./client.ts";
