// What the parts of one portable engine share: options, connections, counters, and the work that waits for the
// end of the event in hand. Everything runs on the thread that made the engine.

import { type JsFramer, makeFramer } from '../../frame/framer.js'
import { emptyStats } from '../counters.js'
import type { EngineOptions, EngineStats, Limits } from '../engine.js'
import type { Connection } from './connection.js'
import { Spool } from './spool.js'
import { Table } from './table.js'
import { Timing } from './timing.js'

/** A record that is no request, on its way to the host. */
export interface Event {
  kind: number
  connection: Connection
  extra: number
}

export class Context {
  readonly options: EngineOptions
  limits: Limits
  /** undefined: framing is done above (chunk). */
  readonly framer: JsFramer | undefined
  readonly counters: EngineStats = emptyStats()
  readonly table = new Table()
  readonly spool = new Spool()
  readonly timing = new Timing()

  /** The connection whose input is being handed up; it is flushed at the end of that. */
  current: Connection | undefined
  dirty: Connection[] = []
  ready: Connection[] = []
  events: Event[] = []

  /** Does what waits in the three lists. */
  settle: () => void = () => {}
  #scheduled = false

  constructor(options: EngineOptions) {
    this.options = options
    this.limits = options.limits
    this.framer = options.framer.kind === 'chunk' ? undefined : makeFramer(options.framer)
    this.framer?.limit?.(options.limits)
  }

  limit(limits: Limits): void {
    this.limits = limits
    this.framer?.limit?.(limits)
  }

  /** `count` further requests of it are in flight. */
  opened(connection: Connection, count: number): void {
    connection.pipeline.open(count)
    connection.requests += count
    this.counters.requests += count
  }

  /** It has gathered output: flush it once all that goes on now is done. */
  soil(connection: Connection): void {
    if (connection.dirty || connection === this.current) return
    connection.dirty = true
    this.dirty.push(connection)
    this.#schedule()
  }

  /** It may be able to cut further requests of the input at hand. */
  wake(connection: Connection): void {
    if (connection.ready || connection === this.current) return
    connection.ready = true
    this.ready.push(connection)
    this.#schedule()
  }

  tell(kind: number, connection: Connection, extra: number): void {
    this.events.push({ kind, connection, extra })
    this.#schedule()
  }

  // In a tick of its own, never inside the call that asked for it: the host is not entered again from within
  // its own calls, and requests that free room for the next ones are a loop instead of a recursion.
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    process.nextTick(this.#run)
  }

  readonly #run = (): void => {
    this.#scheduled = false
    this.settle()
  }
}
