/**
 * The closing lines of a test run, from vitest's exit code, its JSON reports and those of group-errors.ts beside them: the
 * longest files, what failed, what was skipped and why, then alone on the last line `N passed, N failed` and, where any were,
 * `, N skipped`.
 */
import { existsSync, readFileSync } from "node:fs";
import type { GroupError } from "./group-errors.ts";

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    /** Milliseconds since 1970. */
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly ancestorTitles: readonly string[];
      readonly fullName: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

const [exitCode = "0", ...paths] = process.argv.slice(2);
const reports = paths.map((path) => JSON.parse(readFileSync(path, "utf8")) as Report);
const testResults = reports.flatMap((report) => report.testResults);
const groupErrors = paths
  .map((path) => path.replace(/\.json$/, ".errors"))
  .filter((path) => existsSync(path))
  .flatMap((path) => JSON.parse(readFileSync(path, "utf8")) as GroupError[]);
const sum = (figure: "numPassedTests" | "numFailedTests"): number =>
  reports.reduce((total, report) => total + report[figure], 0);

/** How many tests were skipped, by what was skipped and why. */
const skipped = new Map<string, number>();
for (const { name, assertionResults } of testResults) {
  for (const { status, ancestorTitles, fullName } of assertionResults) {
    if (status === "passed" || status === "failed") continue;
    const group = ancestorTitles.find((title) => title.includes("(skipped: "));
    const what = `${name.replace(`${process.cwd()}/`, "")}: ${group ?? `${fullName} (skipped: no reason is given)`}`;
    skipped.set(what, (skipped.get(what) ?? 0) + 1);
  }
}

/** Of a report that is cut in front, these lines are still there. */
const failures = testResults.flatMap(({ name, assertionResults }) => {
  const file = name.replace(`${process.cwd()}/`, "");
  const ofGroups = groupErrors
    .filter((one) => one.file === name)
    .map(({ group, message }) => `${file}: ${group || "the file itself"}\n${message.slice(0, 1000)}`);
  const ofTests = assertionResults
    .filter(({ status }) => status === "failed")
    .map(
      ({ fullName, failureMessages }) =>
        `${file}: ${fullName}\n${(failureMessages ?? []).join("\n").slice(0, 1000)}`,
    );
  return [...ofGroups, ...ofTests];
});

/** Where the time of the run goes. */
const longest = testResults
  .map(({ name, startTime, endTime }) => ({
    name: name.replace(`${process.cwd()}/`, ""),
    seconds: (endTime - startTime) / 1000,
  }))
  .sort((one, other) => other.seconds - one.seconds)
  .slice(0, 25);
if (testResults.length > longest.length) {
  console.log("Longest files:");
  for (const { name, seconds } of longest) console.log(`  ${seconds.toFixed(0).padStart(5)} s  ${name}`);
}

// A file that cannot even be loaded has no failed tests of its own, and counts as one.
const brokenFiles = testResults.filter(
  (file) => file.status === "failed" && file.assertionResults.every((one) => one.status !== "failed"),
).length;

// An error outside of every test, or a run that wrote no report, fails the run though no test failed.
const failed = sum("numFailedTests") + brokenFiles || (exitCode === "0" && reports.length > 0 ? 0 : 1);

if (failures.length > 0) console.log("Failed:");
for (const failure of failures) console.log(`  ${failure.replaceAll("\n", "\n    ")}`);

const all = [...skipped.values()].reduce((sum, count) => sum + count, 0);
if (all > 0) console.log("Skipped:");
for (const [what, count] of skipped) console.log(`  ${what}: ${String(count)} test${count === 1 ? "" : "s"}`);
console.log(
  `${String(sum("numPassedTests"))} passed, ${String(failed)} failed${all > 0 ? `, ${String(all)} skipped` : ""}`,
);
