/**
 * The uplink of a virtual switch: an interface of the host, or several of its network cards, of which the host's agent makes a
 * bond. Such a bond is active-backup: one card is in use, and another one when that has no link any more. The physical switches
 * need no setting for it.
 */
import { z } from "zod";

const name = "(?!\\.{1,2}(?:\\+|$))[A-Za-z0-9._-]{1,15}";

/** As the kernel takes them. */
export const interfaceNameSchema = z
  .string()
  .regex(new RegExp(`^${name}$`), "must be a network interface name");

/** More than a switch could have use for. */
const mostCards = 8;

/** `eno2`, or cards that become a bond: `eno2+eno3`. */
export const uplinkSchema = z
  .string()
  .regex(
    new RegExp(`^${name}(?:\\+${name}){0,${String(mostCards - 1)}}$`),
    "must be a network interface name, or several of network cards with + between them",
  )
  .refine((text) => new Set(text.split("+")).size === text.split("+").length, "names a network card twice");

/** The bond that an agent makes. */
export const bondDefinitionSchema = z.object({
  cards: z.array(interfaceNameSchema).min(2).max(mostCards),
});
export type BondDefinition = z.infer<typeof bondDefinitionSchema>;

/** The uplink as a host is to have it. */
export interface UplinkDefinition {
  /** The interface that is a port of the switch's bridge: of several cards their bond. */
  uplink: string | null;
  bond?: BondDefinition | undefined;
}

/** @param text as `uplinkSchema` has it */
export function uplinkIn(text: string | null): UplinkDefinition {
  const cards = text?.split("+") ?? [];
  return cards.length < 2 ? { uplink: text } : { uplink: bondDeviceOf(cards), bond: { cards } };
}

/** The other way round. */
export const uplinkOf = ({ uplink, bond }: UplinkDefinition): string | null =>
  bond === undefined ? uplink : bond.cards.join("+");

/** A card is in one bond at most, so its name tells the bonds of a host apart. */
const bondDeviceOf = ([first = ""]: readonly string[]): string => `gb-${first.slice(-12)}`;
