// What the log says when the loop was kept from its sockets for too long: by which handler, for how long and, where
// it can be known, for which connection.

import { endpoint } from '../engine/endpoint.js'
import type { Engine } from '../engine/engine.js'
import { KIND, RECORD, RECORD_WORDS } from '../engine/layout.js'
import type { Log } from '../log/log.js'
import type { HandlerPlan } from './plan.js'

/** @param ms how long; @param count records of the turn, which still stand in engine.records; 0: no turn did it */
export function reportStall(
  log: Log,
  engine: Engine,
  handler: string,
  plan: HandlerPlan,
  count: number,
  ms: number,
): void {
  const time = { ms: Math.round(ms * 10) / 10, handler }
  if (count === 0) {
    log.limited('stall', 'warn', 'the loop stalled: code outside of a turn', {
      ...time,
      in: 'timers, promises or other events of the process',
    })
    return
  }
  const { requests, only, others } = ofTurn(engine.records, count)
  const name = plan.handleBatch === undefined ? 'handle_request' : 'handle_batch'
  log.limited('stall', 'warn', 'the loop stalled: a turn of the handler', {
    ...time,
    in: requests > 0 ? name : hooksOf(plan),
    ...(requests > 0 && { requests }),
    ...(others === 0 && only !== undefined && connectionFields(engine, ...only)),
    ...(others > 0 && { connections: others + 1 }),
  })
}

interface Turn {
  /** Requests, or pieces of input that are cut in JS. */
  requests: number
  /** The connection of the first record, and how many there are besides. */
  only: [slot: number, generation: number] | undefined
  others: number
}

function ofTurn(records: Uint32Array, count: number): Turn {
  let requests = 0
  const connections = new Map<number, number>()
  for (let at = 0; at < count * RECORD_WORDS; at += RECORD_WORDS) {
    const kind = (records[at] as number) & 0xff
    if (kind === KIND.request || kind === KIND.chunk) requests++
    connections.set(records[at + RECORD.slot] as number, records[at + RECORD.generation] as number)
  }
  const [only] = connections
  return { requests, only, others: connections.size - 1 }
}

function connectionFields(engine: Engine, slot: number, generation: number) {
  const info = engine.info(slot, generation)
  // A worker that no connection is bound to is not told of its peers.
  const isKnown = info !== undefined && info.remote.address !== ''
  return {
    connection: `${slot}.${generation}`,
    ...(isKnown && { remote: endpoint(info.remote) }),
  }
}

const hooksOf = ({ opened, closed }: HandlerPlan): string =>
  [opened && 'opened', closed && 'closed'].filter(Boolean).join(' or ') || 'a hook'
