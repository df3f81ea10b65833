/** Arrows point down only: apps and lab over packages, I/O packages over pure ones, the contract below all. */
const { globSync, readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");

/** A package's doors are what its package.json exports: index.ts, and a few files that are wanted without the rest. */
const doors = globSync(["{packages,apps}/*/package.json", "{lab,test-kit}/package.json"], {
  cwd: __dirname,
}).flatMap((file) => {
  const { exports = [] } = JSON.parse(readFileSync(join(__dirname, file), "utf8"));
  return Object.values(typeof exports === "string" ? [exports] : exports).map((door) =>
    join(dirname(file), door),
  );
});
const pure = "^packages/(contract|cpu|migration|placement|requirements)/";

/** The folders of packages/cpu from the lowest up: none imports one that comes after it. */
const cpuFolders = [
  "cpuid",
  "features",
  "named-models",
  "formats",
  "evc-modes",
  "report",
  "causes",
  "evc",
  "compare",
  "masks",
  "power-on",
];

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-cycles-between-folders",
      severity: "error",
      scope: "folder",
      from: {},
      to: { circular: true },
    },
    ...cpuFolders.map((folder, index) => ({
      name: `cpu-${folder}-imports-lower-folders-only`,
      severity: "error",
      from: { path: `^packages/cpu/src/${folder}/` },
      to: {
        path: "^packages/cpu/src/",
        pathNot: `^packages/cpu/src/(${cpuFolders.slice(0, index + 1).join("|")})/`,
      },
    })),
    {
      name: "packages-know-no-apps",
      severity: "error",
      from: { path: "^packages/" },
      to: { path: "^(apps|lab|tests|bench|faults|packaging|rack)/" },
    },
    {
      name: "only-tests-use-the-test-kit",
      severity: "error",
      from: { pathNot: "^(tests|bench|faults|test-kit)/|/test/" },
      to: { path: "^test-kit/" },
    },
    { name: "the-lab-knows-no-apps", severity: "error", from: { path: "^lab/" }, to: { path: "^apps/" } },
    {
      name: "the-rack-knows-no-apps",
      severity: "error",
      from: { path: "^rack/" },
      to: { path: "^apps/" },
    },
    {
      name: "nothing-uses-the-rack",
      severity: "error",
      from: { path: "^(apps|lab|packages|packaging|test-kit)/" },
      to: { path: "^rack/" },
    },
    {
      name: "pure-packages-do-nothing",
      severity: "error",
      from: { path: `${pure}src/`, pathNot: "openapi/write.ts$" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "pure-packages-know-only-pure-ones",
      severity: "error",
      from: { path: pure.replace("/)", "/)") + "src/" },
      to: { path: "^packages/", pathNot: pure },
    },
    {
      name: "the-contract-is-the-lowest",
      severity: "error",
      from: { path: "^packages/contract/" },
      to: { path: "^packages/", pathNot: "^packages/contract/" },
    },
    {
      name: "one-way-into-a-package",
      severity: "error",
      from: { path: "^((?:packages|apps)/[^/]+|lab|test-kit)/src/" },
      to: {
        path: "^((packages|apps)/[^/]+|lab|test-kit)/src/",
        pathNot: `^$1/|^(${doors.join("|").replaceAll(".", "\\.")})$`,
      },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
      extensions: [".ts", ".js"],
    },
  },
};
