/** Slots for memory devices. A part of the machine that a move's two ends make alike: it never changes. */
export const memorySlots = 16;
