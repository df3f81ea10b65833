/** Chapters that a story has only when they are asked for, as options of both of its programs. */
const chapter = { type: "boolean", default: false } as const;

export const chapters = {
  evc: chapter,
  apparmor: chapter,
  tagged: chapter,
  bond: chapter,
  "memory-growth": chapter,
  "without-kvm": chapter,
  ways: chapter,
  fencing: chapter,
  "fence-program": chapter,
} as const;

/** As they are given to the other program. */
export const chapterWords = (asked: Readonly<Record<keyof typeof chapters, boolean>>): string[] =>
  (Object.keys(chapters) as (keyof typeof chapters)[]).flatMap((name) => (asked[name] ? [`--${name}`] : []));
