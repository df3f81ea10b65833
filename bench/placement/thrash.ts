/** The complaints about other balancers, as the tests of the planner have them. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@godwit/system";

export interface ThrashRow {
  case: string;
  passed: boolean;
}

interface Report {
  testResults: { assertionResults: { title: string; status: string }[] }[];
}

export async function runThrashSuite(): Promise<ThrashRow[]> {
  const file = "packages/placement/test/plan/complaints.test.ts";
  const folder = mkdtempSync(join(tmpdir(), "godwit-thrash-"));
  try {
    const report = join(folder, "report.json");
    const reporter = ["--reporter", "json", "--outputFile", report];
    await run("npx", ["vitest", "run", "--project", "pure", ...reporter, file], {
      ...{ what: "running the thrash suite", timeoutMs: 600_000, okCodes: [0, 1] },
    });
    return rowsOf(JSON.parse(readFileSync(report, "utf8")) as Report, file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function rowsOf({ testResults }: Report, file: string): ThrashRow[] {
  const rows = testResults.flatMap(({ assertionResults }) =>
    assertionResults.map(({ title, status }) => ({ case: title, passed: status === "passed" })),
  );
  if (rows.length === 0) throw new Error(`${file} has no test.`);
  return rows;
}
