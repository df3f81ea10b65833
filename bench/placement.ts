/**
 * The planner against scoreboards: hbal of Ganeti on its own score, the machine reassignment problem, its own speed,
 * an evacuation, a day of PlanetLab in CloudSim's model, and the complaints about other balancers. The data are not a part of the product: they are named.
 */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { evacuateOne } from "./placement/evacuation.ts";
import { compareWithHbal } from "./placement/hbal.ts";
import { scoreDay } from "./placement/planetlab/score.ts";
import { solveInstance } from "./placement/mrp/solve.ts";
import { measureSpeed } from "./placement/speed.ts";
import { runThrashSuite } from "./placement/thrash.ts";
import { readOptions, numberOf, wrongUsage } from "../scripts/options.ts";

const parts = ["hbal", "evacuation", "mrp", "planetlab", "speed", "thrash"] as const;
type Part = (typeof parts)[number];

const usage = `usage: npm run bench:placement -- [--quick] [--data FOLDER] [--only PART]… [--mrp-seconds 10]… [--mrp-instance a1_1]…
                                [--json FILE]

  --quick          small cases only, each number of moves of hbal's one in ten, A1 of the reassignment only
  --data FOLDER    with hbal/*.data, mrp/model_* and planetlab/*.csv.gz; also GODWIT_PLACEMENT_DATA. Without it: speed and thrash only
  --only PART      ${parts.join(", ")}
  --mrp-seconds N  processor seconds for each instance; repeated: once with each
  --mrp-instance I these instances of the reassignment only: all of them take hours at 300 s
  --json FILE      all of it, for other programs`;

const values = readOptions(usage, {
  quick: { type: "boolean", default: false },
  data: { type: "string" },
  only: { type: "string", multiple: true, default: [] },
  "mrp-instance": { type: "string", multiple: true, default: [] },
  "mrp-seconds": { type: "string", multiple: true, default: ["10"] },
  json: { type: "string" },
});
const data = values.data ?? process.env["GODWIT_PLACEMENT_DATA"];
for (const part of values.only)
  if (!parts.some((one) => one === part)) wrongUsage(usage, `There is no part "${part}".`);
const seconds = values["mrp-seconds"].map((text) => numberOf(usage, "--mrp-seconds", text));
const wants = (part: Part) => values.only.length === 0 || values.only.includes(part);

const result: Record<string, object | object[]> = {};
function keep(part: string, row: object): void {
  const rows = (result[part] ??= []);
  if (Array.isArray(rows)) rows.push(row);
  show(part, row);
}

/** The day that others publish their results of is the part; further days are within it. */
function keepDay(row: object): void {
  const first = result["planetlab"] as { days?: object[] } | undefined;
  if (first === undefined) result["planetlab"] = { ...row, days: [] };
  else first.days?.push(row);
  show("planetlab", row);
}

function show(part: string, row: object): void {
  console.log(part, JSON.stringify(row));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
}

if (wants("speed")) {
  keep("speed", measureSpeed(64, 4000));
  if (!values.quick) keep("speed", measureSpeed(1000, 20_000));
}
if (wants("thrash")) for (const row of await runThrashSuite()) keep("thrash", row);
if (data === undefined) console.log("No --data: hbal, evacuation, mrp and planetlab are left out.");
else {
  const needsCases = wants("hbal") || wants("evacuation");
  const cases = (needsCases ? filesOf(join(data, "hbal"), /^c(\d+)\.data$/) : []).filter(
    ([, hosts]) => !values.quick || Number(hosts) <= 8,
  );
  for (const [file, hosts] of cases) {
    for (const dynamic of wants("hbal") ? [false, true] : [])
      keep(
        "hbal",
        await compareWithHbal(join(data, "hbal", file), dynamic, values.quick || Number(hosts) > 16 ? 10 : 1),
      );
    if (wants("evacuation")) keep("evacuation", await evacuateOne(join(data, "hbal", file), "n002"));
  }
  const instances = wants("mrp")
    ? filesOf(join(data, "mrp"), /^model_(\w+)\.txt/).map(([, name]) => name)
    : [];
  const named = values["mrp-instance"];
  for (const one of named)
    if (!instances.includes(one))
      wrongUsage(usage, `There is no instance "${one}": there are ${instances.join(", ")}.`);
  const chosen = named.length > 0 ? named : instances.filter((one) => !values.quick || one.startsWith("a1"));
  for (const name of wants("mrp") ? chosen : [])
    for (const each of seconds) keep("mrp", solveInstance(join(data, "mrp"), name, each));
  const days = wants("planetlab") ? filesOf(join(data, "planetlab"), /^(\d{8})\.csv\.gz$/) : [];
  for (const [, day] of values.quick ? days.slice(0, 1) : days)
    keepDay(scoreDay(join(data, "planetlab"), day));
}

function filesOf(folder: string, pattern: RegExp): [file: string, key: string][] {
  if (!existsSync(folder)) wrongUsage(usage, `There is no folder ${folder}.`);
  return readdirSync(folder)
    .flatMap((file): [string, string][] => {
      const key = pattern.exec(file)?.[1];
      return key === undefined ? [] : [[file, key]];
    })
    .sort(([, a], [, b]) => a.localeCompare(b, "en", { numeric: true }));
}
