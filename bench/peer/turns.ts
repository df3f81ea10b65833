/** Contenders that move in turn, each as often as the others. */
import type { Contender, Sample } from "./contenders.ts";

/** @param say gets a line about each move */
export async function inTurn(
  contenders: readonly Contender[],
  moves: number,
  say: (text: string) => void,
): Promise<Map<Contender, Sample[]>> {
  const samples = new Map<Contender, Sample[]>(contenders.map((contender) => [contender, []]));
  for (let round = 0; round < moves; round++) {
    // Each goes first in turn: what slows one of them down does not always hit the same.
    for (let place = 0; place < contenders.length; place++) {
      const contender = contenders[(round + place) % contenders.length];
      if (contender === undefined) continue;
      const sample = await contender.move();
      samples.get(contender)?.push(sample);
      say(`${String(round + 1)} ${contender.name}: ${sampleText(sample)}`);
    }
  }
  return samples;
}

function sampleText({ from, to, outageMs, totalMs, failure, hung, runners }: Sample): string {
  const end =
    failure ?? `outage ${(outageMs ?? NaN).toFixed(0)} ms, ${((totalMs ?? 0) / 1000).toFixed(1)} s in all`;
  const state = hung ? "; the guest hung and was started again" : "";
  return `${from} → ${to}: ${end}; runs on ${runners.join(" and ") || "no host"}${state}`;
}
