/** What the agent answers on its port: calls of the server, and lines of moves that other hosts open. */
import { agentOperations, peerPath } from "@godwit/contract";
import { identify, mount, mountSockets, type Authority, type HttpServer } from "@godwit/http";
import type { handlers } from "./api.ts";
import type { Moves } from "./moves/moves.ts";

export function answerOn(
  http: HttpServer,
  answers: ReturnType<typeof handlers>,
  authority: Authority,
  moves: Pick<Moves, "upgrade">,
): void {
  mount(http, agentOperations, answers, authority);
  mountSockets(http, agentOperations, answers, authority);
  http.onUpgrade(
    (path) => path.startsWith(peerPath("")),
    (request, socket, head) => {
      identify(request, authority).then(
        (actor) => {
          if (actor.kind === "host") moves.upgrade(request, socket, head, actor);
          else socket.destroy();
        },
        () => socket.destroy(),
      );
    },
  );
}
