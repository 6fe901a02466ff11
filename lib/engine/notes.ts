// What becomes of requests that workers have, for the access log: as words, one note behind the other, in the layout
// of native/pool/journal.h. The portable pool writes them itself; lib/dispatch/journal.ts reads them.

/** Words of one note and their places, as Note has them. */
export const NOTE_WORDS = 8
export const NOTE_AT = {
  kind: 0,
  slot: 1,
  generation: 2,
  sequence: 3,
  value: 4,
  member: 5,
  agoUs: 6,
} as const

/** NoteKind */
export const NOTE = { handed: 0, piece: 1, answered: 2, failed: 3, opened: 4, closed: 5 } as const

/** Takes notes. */
export type Noted = (notes: Uint32Array) => void
