/** QEMU's auto-converge: 20 % at first, 10 % more at every second look that finds too many changes, up to 99 %. */
import type { Step, View } from "./policy.ts";

const [initial, increment, most] = [0.2, 0.1, 0.99];

/** Of a policy that looks once a second, as QEMU does. */
export function autoConverge(): (view: View) => Step {
  let [high, share] = [0, 0];
  return ({ isDirtyRateHigh, round }) => {
    high = isDirtyRateHigh && round >= 2 ? high + 1 : 0;
    if (high < 2) return { do: "goOn" };
    high = 0;
    share = share === 0 ? initial : Math.min(most, share + increment);
    return { do: "throttle", share };
  };
}
