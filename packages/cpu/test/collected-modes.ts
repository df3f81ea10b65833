/** What is publicly known of VMware's EVC modes, apart from the product's own tables: see data/README.md. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { testData } from "./collection.ts";

interface CollectedMode {
  readonly key: string;
  readonly level: string;
  readonly label: string;
  readonly vendor: string;
  readonly evidence: string;
  /** VMware's names. */
  readonly features: readonly string[];
  /** By `leaf.subleaf.register`, as a `.vmx` file spells a mask: 1 for each feature of the mode. */
  readonly registers: Readonly<Record<string, string>>;
  /** The complete mask, where one is public. */
  readonly featureMask?: Readonly<Record<string, string>>;
}

const text = readFileSync(join(testData, "evc-modes.json"), "utf8");
export const collectedModes = (JSON.parse(text) as { modes: readonly CollectedMode[] }).modes;
