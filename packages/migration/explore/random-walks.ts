/** Random walks through a world, with more faults than can be explored one and all. The same walks each time. */
import { apply } from "./happen.ts";
import { FAULT, FAULTS, type State } from "./layout.ts";
import type { Configuration } from "./names.ts";
import { enumerate } from "./possible.ts";
import type { Protocol } from "./protocol.ts";
import { Rules } from "./rules.ts";
import { World } from "./world.ts";

const steps = 120;
const mostFaults = 6;

/** @param goes called before each walk with the way that it has gone so far, which grows as it goes on */
export function walkAtRandom(
  protocol: Protocol,
  configuration: Configuration,
  walks: number,
  goes: (path: readonly number[]) => void = () => undefined,
): void {
  const world = new World(new Rules(protocol, configuration));
  let seed = 1;
  const choose = (n: number): number => {
    seed = (Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return ((seed ^ (seed >>> 13)) >>> 0) % Math.max(1, n);
  };
  for (let one = 0; one < walks; one++) {
    let state: State = world.initial();
    const path: number[] = [];
    goes(path);
    let left = 1 + choose(mostFaults);
    for (let step = 0; step < steps; step++) {
      enumerate(world, state);
      const wantsFault = left > 0 && choose(5) === 0;
      const possible = world.events.filter((_, i) => (world.classes[i] === FAULT) === wantsFault);
      const event = possible[choose(possible.length)];
      if (event === undefined) break;
      if (wantsFault) left -= 1;
      apply(world, state, event);
      if (wantsFault) world.now[FAULTS] = (state[FAULTS] ?? 0) + 1;
      state = world.now.slice();
      path.push(event);
    }
  }
}
