// The text form of framers: parts between commas, and C escapes in a delimiter.

import { refuse } from './refusal.js'

/** A part of a framer's text, escapes untouched, and where it begins (for errors). */
export interface Part {
  raw: string
  at: number
}

/** Parts between commas; a comma behind a backslash is content. */
export function splitParts(text: string): Part[] {
  const parts: Part[] = []
  let from = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === ',') {
      parts.push({ raw: text.slice(from, i), at: from })
      from = i + 1
    }
  }
  parts.push({ raw: text.slice(from), at: from })
  return parts
}

const SIMPLE: Readonly<Record<string, number>> = {
  r: 13,
  n: 10,
  t: 9,
  '0': 0,
  '\\': 92,
  ',': 44,
}
const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|([rnt0\\,]))|\\.?.?.?/gsu

/** Bytes of a delimiter: UTF-8 with \r \n \t \0 \xHH \\ and \, */
export function unescapeBytes(part: Part, whole: string): Buffer {
  const pieces: Buffer[] = []
  let from = 0
  for (const match of part.raw.matchAll(ESCAPE)) {
    const [text, hex, letter] = match
    pieces.push(Buffer.from(part.raw.slice(from, match.index)))
    if (hex !== undefined) pieces.push(Buffer.from([Number.parseInt(hex, 16)]))
    else if (letter !== undefined) pieces.push(Buffer.from([SIMPLE[letter] as number]))
    else {
      const shown = text.startsWith('\\x') ? text : text.slice(0, 2)
      throw refuse(
        whole,
        `'${shown}' at character ${part.at + match.index + 1} is no escape; wanted \\r \\n \\t \\0 \\xHH \\\\ or \\,`,
      )
    }
    from = match.index + text.length
  }
  pieces.push(Buffer.from(part.raw.slice(from)))
  return Buffer.concat(pieces)
}
