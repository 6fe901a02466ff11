// "Did you mean": the nearest of the known names.

/** Number of insertions, deletions, replacements and swaps of neighbours between two words. */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, at(before, j - 2) + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return at(last, b.length)
}

const at = (row: readonly number[], index: number): number => row[index] ?? Number.POSITIVE_INFINITY

const LONGEST = 64
const inherited: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * The known name that `word` probably stands for.
 * @returns undefined when none is near: more than a third of the word (at least two letters) would change.
 * @example
 * nearest('prot', ['host', 'port']) // 'port'
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > LONGEST || inherited.has(word.toLowerCase())) return undefined
  const plain = (text: string) => text.toLowerCase().replace(/[-_]/g, '')
  const wanted = plain(word)
  let best: string | undefined
  let least = Math.min(wanted.length - 1, Math.max(2, Math.floor(wanted.length / 3))) + 1
  for (const name of known) {
    const distance = editDistance(wanted, plain(name))
    if (distance < least) {
      best = name
      least = distance
    }
  }
  return best
}
