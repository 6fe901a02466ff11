// The engines and polling types that one list of cases runs over, and whether this machine has them.

import type { Test } from 'tap'

export interface Variant {
  name: string
  engine: 'native' | 'portable'
  /** What every server of this variant is constructed with. */
  options: Record<string, unknown>
  /** Handlers run in other threads or processes. */
  sent?: boolean
  /** Of which cases ('subject: name') it is to be asked; all where there is nothing. */
  asks?: (title: string) => boolean
}

const native = (name: string, options: Record<string, unknown>): Variant => ({
  name,
  engine: 'native',
  options: { engine: 'native', ...options },
})

const workers = (name: string, options: Record<string, unknown>): Variant => ({
  ...native(name, { handlerPoolSize: 2, ...options }),
  sent: true,
})

export const VARIANTS = {
  edge: native('native, epoll edge', { pollingType: 'edge' }),
  level: native('native, epoll level', { pollingType: 'level' }),
  completion: native('native, io_uring', { pollingType: 'completion' }),
  unbatched: native('native, epoll edge without a ring', {
    pollingType: 'edge',
    sendBatching: false,
  }),
  portable: { name: 'portable', engine: 'portable', options: { engine: 'portable' } },
} satisfies Record<string, Variant>

/** Subjects that a thread or a process for each request is asked of, and what would take too many of them. */
const FRESH =
  /^(?:order|errors|keepalive|half-close|types of requests and replies|pipelining|framing): /
const TOO_MANY =
  /thousand|hundred|max_pipelined|many|deep|byte by byte|small receive|behind more|levels out|held back|do not mix|all kinds/

/** No worker stays with a connection, and each starts behind a short handler_timeout. */
const STAYS = /hook|end_request|split_request|handler_timeout/

const fresh = (name: string, options: Record<string, unknown>): Variant => ({
  ...workers(name, options),
  asks: (title) => FRESH.test(title) && !TOO_MANY.test(title) && !STAYS.test(title),
})

/** Where handlers run, for npm run test:matrix. */
export const MATRIX = {
  threadpool: workers('threadpool, epoll edge', { pollingType: 'edge', handlerType: 'threadpool' }),
  procpool: workers('procpool, io_uring', { pollingType: 'completion', handlerType: 'procpool' }),
  thread: fresh('thread, epoll level', { pollingType: 'level', handlerType: 'thread' }),
  proc: fresh('proc, epoll edge', { pollingType: 'edge', handlerType: 'proc' }),
  gthread: native('gthread, epoll level', { pollingType: 'level', handlerType: 'gthread' }),
  gthreadpool: native('gthreadpool, io_uring', {
    pollingType: 'completion',
    handlerType: 'gthreadpool',
    handlerPoolSize: 1000,
  }),
} satisfies Record<string, Variant>

/** True where a missing native engine is a failure and not a skip (CI). */
export const nativeRequired = process.env['GAIDAROS_NATIVE'] === 'require'

/** Skips or fails `t` for `reason`, by whether the native engine is required here. */
export function refuse(t: Test, reason: string): void {
  if (nativeRequired) t.fail(reason)
  else t.pass(reason, { skip: reason })
}
