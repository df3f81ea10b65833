/** The explorer itself: nothing is wrong within its bounds, and every planted mistake is caught. */
import { expect, test } from "vitest";
import { neverMade } from "../explore/coverage.ts";
import { hunt } from "../explore/hunt.ts";
import { mutants } from "../explore/mutants.ts";
import { configurations, type ConfigurationName } from "../explore/names.ts";
import { godwit } from "../explore/protocol.ts";
import { explore, tell, type Bounds } from "../explore/search.ts";

const explored = new Map<ConfigurationName, ReturnType<typeof exploreWhole>>();

/** With one fault of any kind: once, whatever asks for it. */
function exploreOneFault(configuration: ConfigurationName) {
  const found = explored.get(configuration) ?? exploreWhole(configuration, { faults: 1 });
  explored.set(configuration, found);
  return found;
}

function exploreWhole(configuration: ConfigurationName, bounds: Partial<Bounds>) {
  const all = { faults: 0, depth: Number.POSITIVE_INFINITY, states: Number.POSITIVE_INFINITY };
  const search = {
    protocol: godwit,
    configuration: configurations[configuration],
    bounds: { ...all, ...bounds },
  };
  const found = explore(search);
  const story = found.violation === null ? [] : tell(search, found.violation.path);
  return { ...found, wrong: found.violation?.what ?? null, story };
}

test.each(["kvm", "tcg", "postcopy", "autoFits", "autoWithout", "apart", "apartTcg"] as const)(
  "with one fault of any kind at any moment of a move (%s), nothing is wrong and every way ends well",
  (configuration) => {
    const { wrong, story, complete, states } = exploreOneFault(configuration);
    expect({ wrong, story }).toEqual({ wrong: null, story: [] });
    expect(complete).toBe(true);
    expect(states).toBeGreaterThan(100_000);
  },
);

test.each(["kvmPaused", "postcopyPaused", "apartPaused"] as const)(
  "the same for a guest that is paused, which never runs (%s)",
  (configuration) => {
    const { wrong, story, complete } = exploreOneFault(configuration);
    expect({ wrong, story }).toEqual({ wrong: null, story: [] });
    expect(complete).toBe(true);
  },
);

test.each(Object.keys(configurations) as ConfigurationName[])(
  "a move whose limits change while it goes on succeeds all the same (%s)",
  (configuration) => {
    const { wrong, story, complete } = exploreWhole(configuration, { faults: 2, kinds: ["limits"] });
    expect({ wrong, story }).toEqual({ wrong: null, story: [] });
    expect(complete).toBe(true);
  },
);

test("every transition of the tables is made", () => {
  const found = [
    ...(["kvm", "tcg", "postcopy", "apart", "apartTcg"] as const).map(exploreOneFault),
    ...(["kvm", "postcopy"] as const).map((one) => exploreWhole(one, { faults: 3, kinds: ["contRefused"] })),
  ];
  // This one takes two faults of different kinds; `npm run explore` sees it.
  expect(neverMade(found)).toEqual(["destination: restarted → givingBack"]);
});

test("a guest that QEMU let run on by itself is not overtaken by its copy when its host comes back", () => {
  const { wrong, story } = exploreWhole("tcg", { faults: 2, kinds: ["streamBreaks", "hostDies"] });
  expect({ wrong, story }).toEqual({ wrong: null, story: [] });
});

test("an exploration that is cut short says so", () => {
  expect(exploreWhole("kvm", { faults: 1, depth: 5 })).toMatchObject({ complete: false, depth: 5 });
  expect(exploreWhole("kvm", { faults: 1, states: 1000 })).toMatchObject({ complete: false });
});

test.each(mutants.map((mutant) => [mutant.name, mutant] as const))("caught: %s", (_, mutant) => {
  const { caught, what, story } = hunt(mutant);
  expect({ caught, what }).toEqual({ caught: true, what: expect.stringMatching(/./) as string });
  expect(story.length).toBeGreaterThan(0);
});
