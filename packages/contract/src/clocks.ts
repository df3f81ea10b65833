/** Two machines' wall clocks compared: what one of them told, and when the other asked for it. Pure. */

/** Beyond this, clocks count as apart: certificates are issued five minutes back, and every synchronized clock is closer. */
export const mostClockApartMs = 30_000;

export interface ClockReading {
  /** ISO 8601: the other machine's clock, and this one's at about that moment. */
  otherAt: string;
  ownAt: string;
  /** How much the other clock is ahead at least; negative: behind. 0: it may be right. */
  aheadMs: number;
}

/** @param asked when the time was asked for and when the answer came, by the own clock, in ms since 1970 */
export function readClock(otherAt: string, asked: { fromMs: number; toMs: number }): ClockReading {
  const other = Date.parse(otherAt);
  const own = Math.min(Math.max(other, asked.fromMs), asked.toMs);
  return { otherAt, ownAt: new Date(own).toISOString(), aheadMs: other - own };
}

export const isApart = ({ aheadMs }: ClockReading): boolean => Math.abs(aheadMs) > mostClockApartMs;
