/**
 * A reporter of vitest's: what broke outside of every test, in the hooks of a file or a group, as JSON in the file named by
 * GROUP_ERRORS. Vitest's own JSON report does not have it.
 */
import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

export interface GroupError {
  /** The test file's path. */
  readonly file: string;
  /** The group's full name; empty: the file itself. */
  readonly group: string;
  readonly message: string;
}

export default class GroupErrors implements Reporter {
  onTestRunEnd(files: readonly TestModule[]): void {
    const errors: GroupError[] = files.flatMap((file) => [
      ...file
        .errors()
        .map(({ stack, message }) => ({ file: file.moduleId, group: "", message: stack ?? message })),
      ...[...file.children.allSuites()].flatMap((suite) =>
        suite.errors().map(({ stack, message }) => ({
          ...{ file: file.moduleId, group: suite.fullName, message: stack ?? message },
        })),
      ),
    ]);
    writeFileSync(process.env["GROUP_ERRORS"] ?? "group-errors.json", JSON.stringify(errors));
  }
}
