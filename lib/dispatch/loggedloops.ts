// The loops that the dispatcher runs while there is an access log, in place of those of loops.ts and batchloop.ts,
// which know nothing of it.

import { KIND, RECORD, RECORD_WORDS } from '../engine/layout.js'
import { type BatchParts, batchLoop } from './batchloop.js'
import type { Connections } from './connections.js'
import type { Ledger } from './ledger.js'
import type { Loop } from './loops.js'

export interface LoggedParts {
  ledger: Ledger
  connections: Connections
  /** Takes any record, requests too. */
  other(index: number): void
}

/** Requests one by one, each with its own time. */
export function loggedLoop({ ledger, connections, other }: LoggedParts): Loop {
  const { records } = connections.engine
  return (count) => {
    ledger.beginTurn()
    for (let index = 0; index < count; index++) {
      const isPassed = connections.anyStopped && isStopped(connections, records, index)
      const start = performance.now()
      other(index)
      if (!isPassed) ledger.record(index, start)
    }
    ledger.endTurn()
  }
}

/** A batch was handed over as a whole: the time of its requests begins with it. */
export function loggedBatchLoop(parts: BatchParts, ledger: Ledger): Loop {
  const { connections } = parts
  const { records } = connections.engine
  const passed = new Set<number>()
  let next = 0
  let end = 0
  let start = 0
  const write = (): void => {
    for (; next < end; next++) if (!passed.has(next)) ledger.record(next, start)
  }
  const other = (index: number): void => {
    const kind = (records[index * RECORD_WORDS] as number) & 0xff
    // Only requests of a stopped connection come here; they are handed to nobody.
    if (kind === KIND.request) passed.add(index)
    // A connection's requests stand before its end. batchLoop() takes the ends last.
    if (kind === KIND.closed) write()
    parts.other(index)
  }
  const loop = batchLoop({ ...parts, other })
  return (count) => {
    next = 0
    end = count
    start = performance.now()
    passed.clear()
    ledger.beginTurn()
    loop(count)
    write()
    ledger.endTurn()
  }
}

function isStopped(connections: Connections, records: Uint32Array, index: number): boolean {
  const at = index * RECORD_WORDS
  return connections.isStopped(
    records[at + RECORD.slot] as number,
    records[at + RECORD.generation] as number,
  )
}
