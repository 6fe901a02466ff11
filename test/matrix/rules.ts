// Which cases make no sense in which combinations, and why. What is not here is asked everywhere. One rule more
// works by itself (Unfit): handlers that look at variables of their case are skipped where handlers run elsewhere.

import { type Combination, hasWorkers, isOneShot } from './combination.js'

interface Rule {
  where: (combination: Combination) => boolean
  /** Of 'subject: name'. */
  cases: RegExp
  because: string
}

const isPool = ({ serverType }: Combination): boolean => serverType !== ''

const RULES: Rule[] = [
  {
    where: isOneShot,
    cases: /^(?:UDP|unix messages): /,
    because: 'thread and proc: clients of the case ask again before so many workers have started',
  },
  {
    where: hasWorkers,
    cases: /^unix datagrams: descriptors/,
    because: 'the descriptors that come and go may be those of workers',
  },
  {
    where: isOneShot,
    cases: /hook|\bopened\b|end_request|split_request|^framing by functions|^connection: data is/,
    because: 'thread and proc: no worker stays with a connection',
  },
  {
    where: isOneShot,
    cases:
      /^(?:backpressure|timers and limits|bad input|batch|statistics|start and stop|connection|TLS|compression): /,
    because:
      'thread and proc: it asks what is done before a handler by more requests than fresh workers answer',
  },
  {
    where: isOneShot,
    cases:
      /thousand|hundred|many|max_pipelined|deep|byte by byte|small receive|behind more|levels out|all kinds|do not mix|random delays|used again|older slab|after its late reply|intact|slow answer|defaults/,
    because: 'thread and proc: a worker for each of so many requests takes minutes',
  },
  {
    where: isOneShot,
    cases: /handler_timeout/,
    because:
      'thread and proc: the start of a worker is longer than the handler_timeout of the case',
  },
  {
    where: ({ serverType }) => serverType === 'procpool',
    cases: /max_connections/,
    because: 'procpool: max_connections and max_connections_per_ip are of each server process',
  },
  {
    where: isPool,
    cases: /^start and stop: handle\(\) serves one request/,
    because: 'handle() serves in one process',
  },
  {
    where: hasWorkers,
    cases: /^TLS: startTls/,
    because: 'tls_mode starttls is refused where handlers run elsewhere',
  },
  {
    where: isPool,
    cases: /^TLS: a storm of handshakes/,
    because: 'who is there and the storm are served by different processes',
  },
  {
    where: (combination) => isPool(combination) || hasWorkers(combination),
    cases: /^start and stop: a hundred servers/,
    because: 'a hundred starts of processes take minutes',
  },
]

/** Why a case is not asked of this combination; undefined where it is. */
export const unfitFor = (combination: Combination, title: string): string | undefined =>
  RULES.find(({ where, cases }) => where(combination) && cases.test(title))?.because
