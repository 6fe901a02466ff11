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

/** Every combination. */
export const ALL: readonly Combination[] = AXES.backend.flatMap((backend) =>
  AXES.serverType.flatMap((serverType) =>
    AXES.handlerType.map((handlerType) => ({ serverType, handlerType, backend })),
  ),
)

/** For example '-S "procpool" -X "" on edge'. */
export const titleOf = ({ serverType, handlerType, backend }: Combination): string =>
  `-S "${serverType}" -X "${handlerType}" on ${backend}`

/** Whether handlers run in threads or processes of their own. */
export const hasWorkers = ({ handlerType }: Combination): boolean =>
  ['thread', 'threadpool', 'proc', 'procpool'].includes(handlerType)

/** Whether a worker handles one request and ends. */
export const isOneShot = ({ handlerType }: Combination): boolean =>
  handlerType === 'thread' || handlerType === 'proc'
