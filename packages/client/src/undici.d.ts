/** The two files of undici that http.ts loads; undici types only its index. */
declare module "undici/lib/dispatcher/agent.js" {
  export { Agent as default } from "undici";
}
declare module "undici/lib/api/api-request.js" {
  import type { Agent, Dispatcher } from "undici";
  export default function request(
    this: Agent,
    options: Dispatcher.RequestOptions & { origin: string },
  ): Promise<Dispatcher.ResponseData>;
}
