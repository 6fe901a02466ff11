// How gaidaros top draws: bars, sparklines, colours, and lines that fit the terminal.

type Painter = (text: string) => string

/** Colours by what they say; without a terminal, or with NO_COLOR, none. */
export interface Style {
  title: Painter
  label: Painter
  good: Painter
  warn: Painter
  bad: Painter
}

const plain: Painter = (text) => text
const sgr =
  (code: number): Painter =>
  (text) =>
    text === '' ? '' : `\u001b[${code}m${text}\u001b[0m`

export const PLAIN: Style = { title: plain, label: plain, good: plain, warn: plain, bad: plain }
export const COLOURS: Style = {
  title: sgr(1),
  label: sgr(2),
  good: sgr(32),
  warn: sgr(33),
  bad: sgr(31),
}

const EIGHTHS = ' ▏▎▍▌▋▊▉█'
const LEVELS = ' ▁▂▃▄▅▆▇█'

/**
 * A bar of `width` columns for a share of 1.
 * @example
 * bar(0.5, 4) // '██  '
 */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  const rest = eighths % 8
  const full = '█'.repeat(Math.floor(eighths / 8))
  return `${full}${rest > 0 ? EIGHTHS[rest] : ''}`.padEnd(width)
}

/** One column for each value, as high as its share of the largest; what is there at all can be seen. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(...values, 0)
  return values
    .map((value) => (value <= 0 ? LEVELS[0] : LEVELS[Math.max(1, Math.round((value / most) * 8))]))
    .join('')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what colours are made of
const PIECES = /\u001b\[[0-9;]*m|./gsu

/** What of a line fits into `width` columns; colours take none, and end with it. */
export function clip(line: string, width: number): string {
  let left = width
  let painted = false
  let text = ''
  for (const [piece] of line.matchAll(PIECES)) {
    const isColour = piece.length > 1 && piece.startsWith('\u001b')
    if (!isColour && left-- <= 0) break
    if (isColour) painted = piece !== '\u001b[0m'
    text += piece
  }
  return painted ? `${text}\u001b[0m` : text
}
