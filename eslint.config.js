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
    files: ["packages/cpu/src/**", "packages/migration/src/**", "packages/requirements/src/**"],
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
  {
    files: ["**/*.js"],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      ...tseslint.configs.disableTypeChecked.languageOptions,
      globals: { process: "readonly" },
    },
  },
);
