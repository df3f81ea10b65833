import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["**/node_modules", ".tools", "results", "**/*.cjs"] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: "./tsconfig.json" } },
    rules: {
      // `using claim = …` keeps a scope open; its name is not read.
      "@typescript-eslint/no-unused-vars": [
        "error",
        {
          argsIgnorePattern: "^_",
          varsIgnorePattern: "^_",
          ignoreRestSiblings: true,
          ignoreUsingDeclarations: true,
        },
      ],
      // Rethrowing what was caught, and rejecting with a signal's reason, keep what they were.
      "@typescript-eslint/only-throw-error": "off",
      "@typescript-eslint/prefer-promise-reject-errors": "off",
      // Waiting is asked for in words: an interface that may wait is async even where one implementation need not.
      "@typescript-eslint/require-await": "off",
      // A command line's values are lists by nature: no shell strings anywhere.
      "no-restricted-imports": [
        "error",
        {
          paths: [
            {
              name: "node:child_process",
              importNames: ["exec", "execSync"],
              message: "Argument vectors only: use run() of @godwit/system.",
            },
          ],
        },
      ],
    },
  },
  // The pure packages decide and never do: no clock, no random source, no I/O.
  {
    files: ["cpu", "migration", "placement", "requirements"].map((name) => `packages/${name}/src/**`),
    rules: {
      "no-restricted-imports": ["error", { patterns: ["node:*"] }],
      "no-restricted-globals": [
        "error",
        "process",
        "performance",
        "setTimeout",
        "setInterval",
        "fetch",
        "crypto",
      ],
    },
  },
  // A test that a machine cannot run says why: the run's closing lines list it.
  {
    files: ["**/test/**", "tests/**"],
    rules: {
      "no-restricted-properties": [
        "error",
        ...["describe", "test", "it"].flatMap((object) =>
          ["skip", "skipIf", "runIf", "todo"].map((property) => ({
            object,
            property,
            message: "Use describeWith() of the test kit, which tells what is missing.",
          })),
        ),
      ],
    },
  },
  {
    files: ["**/*.js"],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      ...tseslint.configs.disableTypeChecked.languageOptions,
      globals: { process: "readonly" },
    },
  },
);
