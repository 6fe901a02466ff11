// The engine of a worker that is reached by messages: each batch that comes is a turn, and what is said in it, or
// between turns, goes back in one message when the loop comes round. Shows the dispatcher what any engine does.

import { emptyStats } from '../../counters.js'
import type { ConnectionInfo, ConnectionList, EngineHost, EngineStats } from '../../engine.js'
import {
  ANSWER,
  KIND,
  RECORD,
  RECORD_WORDS,
  REPLY,
  REPLY_END,
  REPLY_FLAG,
  REPLY_WORDS,
} from '../../layout.js'
import type { Batch } from '../../pool.js'
import { type CloseReason, REASONS } from '../../reasons.js'
import type { MessageSpec, WorkerEngine } from '../../worker.js'
import { MAX_RECORDS } from '../records.js'
import { BatchWriter, type Entry, entriesOf, isRequest, NO_TICKET, SAID, TOLD } from './batch.js'
import { Flows } from './flows.js'

const OUT_BYTES = 256 * 1024
const NO_BIGS: readonly Buffer[] = []
const EMPTY = Buffer.alloc(0)
const NOBODY = { address: '', family: 'IPv4', port: 0 } as const
const UNKNOWN: ConnectionInfo = {
  remote: NOBODY,
  local: NOBODY,
  bytesIn: 0,
  bytesOut: 0,
  requests: 0,
}

/** Sends a message to the server; `then`: it is on its way, whatever becomes of this worker. */
export type Post = (batch: Batch, then: () => void) => void

export class MessageEngine implements WorkerEngine {
  readonly isDatagram: boolean
  readonly hasMessages = false
  readonly name = 'portable'
  readonly description = 'worker'
  readonly bigs = NO_BIGS
  readonly records = new Uint32Array(MAX_RECORDS * RECORD_WORDS)
  readonly replies = new Uint32Array(MAX_RECORDS * REPLY_WORDS)
  readonly out = Buffer.allocUnsafeSlow(OUT_BYTES)
  readonly accepting = false
  slab: Buffer = EMPTY

  readonly #spec: MessageSpec
  readonly #host: EngineHost
  readonly #spent: () => void
  readonly #post: Post
  /** The framer takes something off, which an answer of the request's own bytes is to have again. */
  readonly #strips: boolean
  readonly #said = new BatchWriter()
  readonly #flows: Flows
  /** By slot. */
  readonly #known = new Map<number, { generation: number; info: ConnectionInfo }>()
  /** Tickets of requests that are answered by a call; of one that was called for within its turn, that it was. */
  readonly #open = new Map<string, number>()
  /** Of the records of the turn, until they are answered. */
  #tickets: number[] = []
  #count = 0
  #beganAt: number | undefined
  #errors = 0
  #scheduled = false
  #hadRequest = false
  #isSpent = false

  constructor(spec: MessageSpec, host: EngineHost, spent: () => void, post: Post) {
    this.#spec = spec
    this.isDatagram = spec.datagrams
    this.#host = host
    this.#spent = spent
    this.#post = post
    this.#strips = 'strip' in spec.framer && spec.framer.strip
    this.#flows = new Flows(spec.highWater)
  }

  start(): void {}

  /** A message of the server: one turn. */
  take(batch: Batch): void {
    this.#beganAt = performance.now()
    // Before the handler can put anything behind its turn.
    this.#schedule()
    const { buffer, byteOffset, length } = batch.bytes
    this.slab = Buffer.from(buffer, byteOffset, length)
    this.#count = 0
    for (const entry of entriesOf(batch)) this.#place(entry)
    const count = this.#count
    if (count === 0) return
    this.#host.turn(count)
    for (let index = 0; index < count; index++) this.#answer(index)
    this.#tickets = []
  }

  reply(
    slot: number,
    generation: number,
    sequence: number,
    data: Uint8Array | undefined,
    flags: number,
  ): number {
    const more = (flags & REPLY_FLAG.more) !== 0
    const ticket = more ? NO_TICKET : this.#land(slot, generation, sequence)
    const empty = data?.length === 0 ? REPLY_FLAG.empty : 0
    this.#say(SAID.reply, slot, generation, sequence, flags | empty, ticket, data)
    return more ? this.#flows.give(slot, generation, data?.length ?? 0) : 0
  }

  write(slot: number, generation: number, data: Uint8Array): number {
    this.#say(SAID.write, slot, generation, 0, 0, NO_TICKET, data)
    return this.#flows.give(slot, generation, data.length)
  }

  end(slot: number, generation: number): void {
    this.#say(SAID.end, slot, generation)
  }

  close(graceMs: number): Promise<void>
  close(slot: number, generation: number, reason: CloseReason): void
  close(slot: number, generation?: number, reason?: CloseReason): Promise<void> | void {
    if (generation === undefined || reason === undefined) return Promise.resolve()
    this.#say(SAID.close, slot, generation, 0, REASONS.indexOf(reason))
    // Nobody answers its requests any more.
    const prefix = keyOf(slot, generation, '')
    for (const key of this.#open.keys()) if (key.startsWith(prefix)) this.#open.delete(key)
  }

  pause(slot: number, generation: number): void {
    this.#say(SAID.pause, slot, generation)
  }

  resume(slot: number, generation: number): void {
    this.#say(SAID.resume, slot, generation)
  }

  framed(slot: number, generation: number, count: number, partial: boolean): void {
    this.#say(SAID.framed, slot, generation, count, partial ? 1 : 0)
  }

  watch(slot: number, generation: number): void {
    this.#say(SAID.watch, slot, generation)
  }

  /** undefined where the connection is known to be gone; where nothing was told, an unknown peer. */
  info(slot: number, generation: number): ConnectionInfo | undefined {
    const known = this.#known.get(slot)
    if (known?.generation === generation) return known.info
    return this.#spec.sticky ? undefined : UNKNOWN
  }

  note(kind: number, slot: number, generation: number, sequence: number, value: number): void {
    const at = Buffer.alloc(8)
    at.writeDoubleLE(performance.timeOrigin + performance.now())
    this.#say(SAID.note, slot, generation, sequence, value, kind, at)
  }

  countErrors(count: number): void {
    this.#errors = count
    this.#schedule()
  }

  #place(entry: Entry): void {
    const { kind, slot, generation, sequence, extra, ticket, bytes } = entry
    if (kind === TOLD.info) {
      const info = JSON.parse(Buffer.from(bytes).toString(), revive) as ConnectionInfo
      this.#known.set(slot, { generation, info })
    } else if (kind === TOLD.taken) {
      const waiting = this.#flows.taken(slot, generation, extra, sequence)
      if (waiting === undefined) return
      this.#record({ ...entry, kind: KIND.drained, extra: waiting, ticket: NO_TICKET })
    } else {
      if (isRequest(entry)) this.#hadRequest = true
      this.#record({ kind, slot, generation, sequence, extra, ticket, bytes })
    }
  }

  #record({ kind, slot, generation, sequence, extra, ticket, bytes }: Entry): void {
    const { records } = this
    const word = this.#count++ * RECORD_WORDS
    records[word + RECORD.kind] = kind
    records[word + RECORD.slot] = slot
    records[word + RECORD.generation] = generation
    records[word + RECORD.sequence] = sequence
    records[word + RECORD.offset] = bytes.byteOffset - this.slab.byteOffset
    records[word + RECORD.length] = bytes.length
    records[word + RECORD.extra] = extra
    this.#tickets.push(ticket)
  }

  /** Passes the answer to record `index` on. */
  #answer(index: number): void {
    const { records, replies } = this
    const word = index * RECORD_WORDS
    const kind = records[word + RECORD.kind] as number
    const slot = records[word + RECORD.slot] as number
    const generation = records[word + RECORD.generation] as number
    if (kind === KIND.ended) this.#say(SAID.ended, slot, generation)
    if (kind === KIND.closed) this.#forget(slot, generation)
    if (!isRequest({ kind })) return
    const sequence = records[word + RECORD.sequence] as number
    const ticket = this.#tickets[index] as number
    const answer = replies[index * REPLY_WORDS + REPLY.kind] as number
    if ((answer & 0xff) === ANSWER.later) this.#expect(slot, generation, sequence, ticket)
    else if ((answer & 0xff) === ANSWER.failed)
      this.#say(SAID.fail, slot, generation, sequence, 0, ticket)
    else {
      const end = (answer & REPLY_END) === 0 ? 0 : REPLY_FLAG.end
      const isSame = (answer & 0xff) === ANSWER.same
      const frame = isSame && this.#strips ? REPLY_FLAG.frame : 0
      const bytes = this.#bytesOf(index)
      const isEmpty = bytes.length === 0 && (answer & 0xff) !== ANSWER.none
      const flags = end | frame | (isEmpty ? REPLY_FLAG.empty : 0)
      this.#say(SAID.reply, slot, generation, sequence, flags, ticket, bytes)
    }
  }

  #bytesOf(index: number): Uint8Array {
    const word = index * REPLY_WORDS
    const start = this.replies[word + REPLY.offset] as number
    const end = start + (this.replies[word + REPLY.length] as number)
    switch ((this.replies[word + REPLY.kind] as number) & 0xff) {
      case ANSWER.same: {
        const offset = this.records[index * RECORD_WORDS + RECORD.offset] as number
        const length = this.records[index * RECORD_WORDS + RECORD.length] as number
        return this.slab.subarray(offset, offset + length)
      }
      case ANSWER.slab:
        return this.slab.subarray(start, end)
      case ANSWER.out:
        return this.out.subarray(start, end)
      default:
        return EMPTY
    }
  }

  /** engine.reply() was called for it within the turn, or will be. */
  #expect(slot: number, generation: number, sequence: number, ticket: number): void {
    const key = keyOf(slot, generation, sequence)
    if (!this.#open.delete(key)) this.#open.set(key, ticket)
  }

  /** The ticket of a request that is answered by a call. */
  #land(slot: number, generation: number, sequence: number): number {
    const key = keyOf(slot, generation, sequence)
    const ticket = this.#open.get(key)
    if (ticket !== undefined) {
      this.#open.delete(key)
      return ticket
    }
    const index = this.#indexOf(slot, generation, sequence)
    if (index === -1) return NO_TICKET
    this.#open.set(key, NO_TICKET)
    return this.#tickets[index] as number
  }

  /** Of a request among the records of this turn. */
  #indexOf(slot: number, generation: number, sequence: number): number {
    const { records } = this
    return this.#tickets.findIndex((_, index) => {
      const word = index * RECORD_WORDS
      return (
        ((records[word + RECORD.kind] as number) & 0xff) === KIND.request &&
        records[word + RECORD.sequence] === sequence &&
        records[word + RECORD.slot] === slot &&
        records[word + RECORD.generation] === generation
      )
    })
  }

  #forget(slot: number, generation: number): void {
    // Both may belong to the next connection at that place already.
    if (this.#known.get(slot)?.generation === generation) this.#known.delete(slot)
    this.#flows.delete(slot, generation)
  }

  #say(
    what: number,
    slot: number,
    generation: number,
    sequence = 0,
    extra = 0,
    ticket: number = NO_TICKET,
    bytes?: Uint8Array,
  ): void {
    this.#said.add(what, slot, generation, sequence, extra, ticket, bytes)
    this.#schedule()
  }

  // Behind the promises that a turn settles, and behind everything else that happens in this round of the loop.
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    this.#scheduled = false
    const over = this.#beganAt === undefined ? undefined : performance.now() - this.#beganAt
    this.#beganAt = undefined
    const { stallWarning } = this.#spec
    if (over !== undefined && stallWarning > 0 && over >= stallWarning)
      this.#host.stalled(this.#count, over)
    this.#post({ type: 'batch', ...this.#said.take(), over, errors: this.#errors }, () =>
      this.#tellSpent(),
    )
  }

  /** One-shot: it has had its request, and said what there was to say. */
  #tellSpent(): void {
    if (!this.#spec.oneShot || !this.#hadRequest || this.#open.size > 0 || this.#isSpent) return
    if (this.#said.count > 0) return
    this.#isSpent = true
    this.#spent()
  }

  stats(): EngineStats {
    return emptyStats()
  }

  // What follows is the server's business.

  listen(): never {
    throw new Error('a worker does not listen')
  }

  connections(): ConnectionList {
    return { connections: 0, in_flight: 0, queued_bytes: 0, paused: 0, list: [] }
  }

  setLimits(): void {}

  stopListening(): void {}

  watchListener(): void {}

  unwatchListener(): void {}
}

const keyOf = (slot: number, generation: number, sequence: number | ''): string =>
  `${slot}.${generation}.${sequence}`

/** Bytes, which JSON writes as lists of numbers, are bytes again. */
const revive = (_: string, value: unknown): unknown => {
  const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown }
  return type === 'Buffer' && Array.isArray(data) ? Buffer.from(data) : value
}
