// Tables of text: columns as wide as what stands in them, numbers to the right.

export interface Column {
  title: string
  align?: 'left' | 'right'
}

/** A column of numbers. */
export const right = (title: string): Column => ({ title, align: 'right' })

const width = (text: string): number => [...text].length

function pad(text: string, to: number, align: Column['align']): string {
  const space = ' '.repeat(Math.max(0, to - width(text)))
  return align === 'right' ? `${space}${text}` : `${text}${space}`
}

/**
 * Lines of a table, its titles first.
 * @example
 * columns([{ title: 'name' }, { title: 'n', align: 'right' }], [['a', '10']]) // ['name   n', 'a     10']
 */
export function columns(
  heads: readonly Column[],
  rows: readonly (readonly string[])[],
  gap = 2,
): string[] {
  const widths = heads.map(({ title }, i) =>
    Math.max(width(title), ...rows.map((row) => width(row[i] ?? ''))),
  )
  const line = (cells: readonly string[]): string =>
    heads
      .map(({ align }, i) => pad(cells[i] ?? '', widths[i] ?? 0, align))
      .join(' '.repeat(gap))
      .trimEnd()
  return [heads.map(({ title }) => title), ...rows].map(line)
}

/** Names with their values, one a line. @example pairs([['a', '1'], ['bcd', '2']]) // ['a    1', 'bcd  2'] */
export function pairs(rows: readonly (readonly [name: string, value: string])[]): string[] {
  const longest = Math.max(0, ...rows.map(([name]) => width(name)))
  return rows.map(([name, value]) => `${pad(name, longest, 'left')}  ${value}`.trimEnd())
}
