import js from "@eslint/js";
import tseslint from "typescript-eslint";

/** Files that may read by `.parse()`, which throws, and why. */
const throwingParsers = {
  "apps/agent/src/identity.ts": "at the start, of a file that joining wrote",
  "apps/agent/src/members.ts": "within a try",
  "apps/agent/src/qemu/host-cpu.ts": "at the start, of the operator's file",
  "apps/server/src/hosts/version-1.ts": "its callers catch, and tell the host as unreachable",
  "packages/http/src/mount.ts": "an answer of this program's own; what breaks the contract is a bug",
  "packages/hypervisor/src/migration-port.ts":
    "in a call whose callers catch: an address that is not one is refused",
  "packages/hypervisor/src/qemu-process.ts": "in a call whose callers catch",
  "packages/hypervisor/src/runtime-file.ts": "its callers catch, file by file",
  "packages/network/src/iproute.ts": "of the output of ip and tc, in a call whose callers catch",
  "packages/network/src/port-security.ts": "of the output of nft, in a call whose callers catch",
  "packages/network/src/quick-ack.ts": "of the output of ip, in a call whose callers catch",
  "packages/network/src/route.ts": "of the output of ip, in a call whose callers catch",
  "packages/qmp/src/session.ts": "within a try that ends the session",
  "packages/storage/src/datastore.ts": "within a try",
  "packages/storage/src/leases/holder.ts": "of a file of its own, in a call whose callers catch",
};

const throwsInHandler = {
  selector:
    "CallExpression[callee.property.name=/^(on|once|addListener|addEventListener)$/] CallExpression[callee.property.name='parse']:not([callee.object.name='Date'])",
  message:
    "It throws, and in an event handler nobody catches: use safeParse, and JSON.parse in a try of its own.",
};
const throws = {
  selector: "CallExpression[callee.property.name='parse']:not([callee.object.name=/^(JSON|Date)$/])",
  message:
    "It throws: use safeParse, or give the file with its reason in throwingParsers of eslint.config.js.",
};

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
  // What another party says is read by safeParse: a throw in an event handler ends the process.
  {
    files: ["apps/*/src/**", "packages/*/src/**"],
    rules: { "no-restricted-syntax": ["error", throwsInHandler, throws] },
  },
  {
    files: Object.keys(throwingParsers),
    rules: { "no-restricted-syntax": ["error", throwsInHandler] },
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
