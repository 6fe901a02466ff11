// Few of many combinations that still ask every pair of values once.

const pairsOf = (combination: object): string[] => {
  const values = Object.entries(combination).map(([axis, value]) => `${axis} ${value}`)
  return values.flatMap((a, i) => values.slice(i + 1).map((b) => `${a}, ${b}`))
}

/** Few of `all` that have among them each value of one axis with each of every other. */
export function covering<T extends object>(all: readonly T[]): T[] {
  const wanted = new Set(all.flatMap(pairsOf))
  const gain = (each: T) => pairsOf(each).filter((pair) => wanted.has(pair)).length
  const chosen: T[] = []
  while (wanted.size > 0) {
    const best = all.reduce((a, b) => (gain(b) > gain(a) ? b : a))
    for (const pair of pairsOf(best)) wanted.delete(pair)
    chosen.push(best)
  }
  return chosen
}
