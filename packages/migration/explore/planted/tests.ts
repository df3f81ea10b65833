/**
 * The reducers' own tests, with a mistake in one file: vitest is started once and told of each mistake in turn. Its
 * server reads the file with the mistake in it; nothing is written anywhere.
 */
import { inspect } from "node:util";
import { createVitest, type TestModule } from "vitest/node";

export interface Tests {
  /** The first test that fails; null when all pass. */
  failingWith: (path: string, text: string) => Promise<string | null>;
  close: () => Promise<void>;
}

/** Tests that walk the explorer's world by the thousand: what they find it has found before. */
const walks = [
  "with more faults than can be explored",
  "without faults every move succeeds",
  "a paused guest arrives paused",
];

const outside = "an error outside of a test";

/** @param root of the repository */
export async function startTests(root: string): Promise<Tests> {
  let changed = { path: "", text: "" };
  const vitest = await createVitest(
    {
      root,
      config: false,
      watch: false,
      // Kept from a run before, a file would be read as it is.
      fsModuleCache: false,
      include: ["packages/migration/test/**/*.test.ts"],
      // These explore, which is the explorer's business here, or hold the table, which is compared before.
      exclude: ["**/explore.test.ts", "**/phases.test.ts", "**/planted.test.ts", "**/decisions.test.ts"],
      testNamePattern: new RegExp(`^(?!.*(?:${walks.join("|")}))`),
      bail: 1,
      maxWorkers: 1,
      testTimeout: 600_000,
      reporters: [{}],
    },
    {
      plugins: [
        {
          name: "planted",
          enforce: "pre",
          load: (id) => (id === changed.path ? changed.text : null),
        },
      ],
    },
  );
  const specifications = await vitest.globTestSpecifications();
  const run = async (): Promise<string | null> => {
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications, true);
    const [error] = unhandledErrors;
    return firstFailure(testModules) ?? (error === undefined ? null : `${outside}: ${inspect(error)}`);
  };
  return {
    failingWith: async (path, text) => {
      changed = { path, text };
      vitest.invalidateFile(path);
      let failing = await run();
      // On a machine that has no time for them, vitest's own workers do not answer: that is no test's word.
      if (failing?.startsWith(outside) === true) failing = await run();
      changed = { path: "", text: "" };
      vitest.invalidateFile(path);
      return failing;
    },
    close: () => vitest.close(),
  };
}

/** By the test that failed; what was given up after that says nothing. */
function firstFailure(modules: readonly TestModule[]): string | null {
  for (const module of modules) for (const test of module.children.allTests("failed")) return test.fullName;
  const [unloaded] = modules.filter((module) => module.errors().length > 0);
  return unloaded === undefined ? null : `${unloaded.moduleId} cannot be loaded`;
}
