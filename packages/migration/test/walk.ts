/** Random walks through the explorer's world: more faults than can be explored one and all, then a calm. */
import { apply } from "../explore/happen.ts";
import { end } from "../explore/judge.ts";
import { FAULT, LASTING, PROMPT, type State } from "../explore/layout.ts";
import { configurations, type ConfigurationName } from "../explore/names.ts";
import { enumerate } from "../explore/possible.ts";
import { godwit } from "../explore/protocol.ts";
import { Rules } from "../explore/rules.ts";
import { World } from "../explore/world.ts";

/** Numbers from 0 to below `n`. */
export type Choose = (n: number) => number;

export interface Walk {
  /** What was wrong on the way or at the end; null when nothing was. */
  wrong: string | null;
  state: State;
  story: string[];
}

const rulesOf = {
  kvm: new Rules(godwit, configurations.kvm),
  tcg: new Rules(godwit, configurations.tcg),
  postcopy: new Rules(godwit, configurations.postcopy),
  auto: new Rules(godwit, configurations.auto),
  autoFits: new Rules(godwit, configurations.autoFits),
  autoWithout: new Rules(godwit, configurations.autoWithout),
  kvmPaused: new Rules(godwit, configurations.kvmPaused),
  postcopyPaused: new Rules(godwit, configurations.postcopyPaused),
  apart: new Rules(godwit, configurations.apart),
  apartTcg: new Rules(godwit, configurations.apartTcg),
  apartPaused: new Rules(godwit, configurations.apartPaused),
};
const calmEvents = 2000;

/** @param steps of the storm, in which at most `faults` happen */
export function walk(configuration: ConfigurationName, choose: Choose, steps: number, faults: number): Walk {
  const world = new World(rulesOf[configuration]);
  const story: string[] = [];
  world.tell = (line) => story.push(line);
  let state = world.initial();
  const happens = (event: number) => {
    apply(world, state, event);
    state = world.now.slice();
    return world.violation;
  };
  let left = faults;
  for (let step = 0; step < steps; step++) {
    enumerate(world, state);
    const isFault = left > 0 && choose(4) === 0;
    const possible = world.events.filter((_, i) => (world.classes[i] === FAULT) === isFault);
    const event = possible[choose(possible.length)];
    if (event === undefined) break;
    if (isFault) left -= 1;
    const wrong = happens(event);
    if (wrong !== null) return { wrong, state, story };
  }
  story.push("-- calm");
  for (let step = 0; step < calmEvents; step++) {
    enumerate(world, state, true);
    if (world.events.length === 0) return { wrong: end(world, state), state, story };
    const isPrompt = world.classes[0] === PROMPT || world.classes[0] === LASTING;
    const wrong = happens(world.events[isPrompt ? 0 : choose(world.events.length)] ?? 0);
    if (wrong !== null) return { wrong, state, story };
  }
  return { wrong: "it never ends", state, story };
}
