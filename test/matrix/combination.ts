// Where a server's processes, its handler and its polls can be: all combinations of them, listed once.

/** Native engines go by their polling type. */
export type Backend = 'edge' | 'level' | 'completion' | 'portable'

export interface Combination {
  /** -S */
  serverType: '' | 'procpool' | 'proc'
  /** -X */
  handlerType: '' | 'gthread' | 'gthreadpool' | 'thread' | 'threadpool' | 'proc' | 'procpool'
  backend: Backend
}
const AXES: { [A in keyof Combination]: Combination[A][] } = {
  backend: ['edge', 'level', 'completion', 'portable'],
  serverType: ['', 'procpool', 'proc'],
  handlerType: ['', 'gthread', 'gthreadpool', 'thread', 'threadpool', 'proc', 'procpool'],
}
const NAMES = Object.keys(AXES) as (keyof Combination)[]

/** Every combination. */
export const ALL: readonly Combination[] = AXES.backend.flatMap((backend) =>
  AXES.serverType.flatMap((serverType) =>
    AXES.handlerType.map((handlerType) => ({ serverType, handlerType, backend })),
  ),
)

/** For example '-S "procpool" -X "" on edge'. */
export const titleOf = ({ serverType, handlerType, backend }: Combination): string =>
  `-S "${serverType}" -X "${handlerType}" on ${backend}`

const pairsOf = (combination: Combination): string[] =>
  NAMES.flatMap((a, i) =>
    NAMES.slice(i + 1).map((b) => `${a} ${combination[a]}, ${b} ${combination[b]}`),
  )

/** Few of `all` that have among them each value of one axis with each of every other. */
export function covering(all: readonly Combination[]): Combination[] {
  const wanted = new Set(all.flatMap(pairsOf))
  const gain = (each: Combination) => pairsOf(each).filter((pair) => wanted.has(pair)).length
  const chosen: Combination[] = []
  while (wanted.size > 0) {
    const best = all.reduce((a, b) => (gain(b) > gain(a) ? b : a))
    for (const pair of pairsOf(best)) wanted.delete(pair)
    chosen.push(best)
  }
  return chosen
}

/** Whether handlers run in threads or processes of their own. */
export const hasWorkers = ({ handlerType }: Combination): boolean =>
  ['thread', 'threadpool', 'proc', 'procpool'].includes(handlerType)

/** Whether a worker handles one request and ends. */
export const isOneShot = ({ handlerType }: Combination): boolean =>
  handlerType === 'thread' || handlerType === 'proc'
