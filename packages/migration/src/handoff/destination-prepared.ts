/**
 * The destination is prepared: where it listens, and whether its QEMU is set for the post-copy that the order asks for. What it has
 * left out is written down and said together with where it listens: the source starts its copy only with the same settings.
 */
import type { MoveOrder } from "@godwit/contract";
import { withoutLastResort } from "../strategies/choose.ts";
import type {
  DestinationEntry,
  DestinationInput,
  DestinationState,
  DestinationStep,
  Listening,
} from "./destination-state.ts";
import { to } from "./destination-transitions.ts";

export function onPrepared(
  state: DestinationState,
  input: Extract<DestinationInput, { type: "prepared" }>,
): DestinationStep {
  const listening = listeningOf(input);
  const { postcopyLeftOut } = listening;
  const entry: DestinationEntry = {
    at: "prepared",
    ...(postcopyLeftOut !== undefined && { postcopyLeftOut }),
  };
  const order = orderWithout(state.order, postcopyLeftOut);
  return to({ ...state, order, listening, wasPrepared: true }, "receiving", [
    { do: "journal", entry },
    { do: "send", message: { type: "prepared", ...listening } },
  ]);
}

/** The order and the place as the journal has them, after a restart. @param place where its QEMU says that it listens */
export function preparedBefore(
  order: MoveOrder,
  entries: readonly DestinationEntry[],
  place: { address: string; port: number } | null,
): Pick<DestinationState, "order" | "listening"> {
  const postcopyLeftOut = entries.find((entry) => entry.at === "prepared")?.postcopyLeftOut;
  if (postcopyLeftOut === undefined) return { order, listening: place };
  return {
    order: orderWithout(order, postcopyLeftOut),
    listening: place === null ? null : { ...place, postcopyLeftOut },
  };
}

const orderWithout = (order: MoveOrder, postcopyLeftOut: string | undefined): MoveOrder =>
  postcopyLeftOut === undefined ? order : withoutLastResort(order);

const listeningOf = ({
  address,
  port,
  certificate,
  disksPort,
  postcopyLeftOut,
}: Extract<DestinationInput, { type: "prepared" }>): Listening => ({
  ...{ address, port },
  ...(certificate === undefined ? {} : { certificate }),
  ...(disksPort === undefined ? {} : { disksPort }),
  ...(postcopyLeftOut === undefined ? {} : { postcopyLeftOut }),
});
