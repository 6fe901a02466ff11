// A server process's workers as the portable engine sees them: chooses one for each request, hands it over, brings the
// answers in, and knows what is in flight where, so that a dead worker's requests get their one outcome. What
// native/pool does over shared memory goes in messages here, one each way for a turn of a worker.

import { View } from '../../../dispatch/view.js'
import type { ServingEngine } from '../../engine.js'
import { ANSWER, KIND, RECORD, RECORD_WORDS, REPLY_WORDS } from '../../layout.js'
import type { Noted } from '../../notes.js'
import type { Batch, EnginePool, PoolSpec, WorkerState } from '../../pool.js'
import { type Entry, isRequest, NO_TICKET, TOLD } from './batch.js'
import { Homes } from './homes.js'
import { Journal } from './journal.js'
import { Member } from './member.js'
import { Orders } from './orders.js'

/** What the pool asks of its engine, besides what everybody may. */
export interface PoolEngine extends ServingEngine {
  /** Its requests can still be answered. */
  isOpen(slot: number, generation: number): boolean
  /** It is open, or its closed record is still to come. */
  isKnown(slot: number, generation: number): boolean
  /** Who frames has cut what there was at the end of input. */
  heardEnd(slot: number, generation: number): void
  /** A chunk whose record was answered with ANSWER.later has been looked at. */
  chunkTaken(slot: number, generation: number): void
}

/** How often the pool notes that it has heard all that workers have said. */
const HEAR_MS = 25

export class PortablePool implements EnginePool {
  readonly #engine: PoolEngine
  #spec: PoolSpec | undefined
  #members: Member[] = []
  /** For whoever is free first. */
  #queue: Entry[] = []
  readonly #homes = new Homes()
  readonly #orders: Orders
  #journal: Journal | undefined
  #tickets = 0
  #next = 0
  #scheduled = false
  /** Nothing that a worker had said by then is unheard: its turns are measured to this moment. */
  #heardAt = 0
  #timer: NodeJS.Timeout | undefined

  constructor(engine: PoolEngine) {
    this.#engine = engine
    this.#orders = new Orders(engine, (member, id) => this.#watch(member, id))
  }

  open(spec: PoolSpec, noted?: Noted): undefined {
    this.#spec = spec
    this.#members = Array.from({ length: spec.workers }, (_, index) => new Member(index))
    this.#journal = noted && new Journal(noted)
    this.#orders.journal = this.#journal
    // A worker that has answered while this loop was kept is not late: timers run before messages are read.
    const hear = (): void => void setImmediate(() => (this.#heardAt = performance.now()))
    this.#timer = setInterval(hear, HEAR_MS).unref()
  }

  get isOpen(): boolean {
    return this.#spec !== undefined
  }

  close(): void {
    clearInterval(this.#timer)
  }

  attach(index: number, post: (batch: Batch) => void): void {
    const member = new Member(index)
    member.live = true
    member.post = post
    this.#members[index] = member
    this.#schedule()
  }

  retire(index: number): void {
    this.#member(index).retiring = true
  }

  /** A worker's message: what it says, and perhaps that its turn is over. */
  receive(index: number, batch: Batch): void {
    const member = this.#member(index)
    if (!member.live) return
    this.#orders.obey(member, batch)
    member.errors = batch.errors ?? member.errors
    if (batch.over !== undefined)
      for (const { slot, generation } of member.turned(batch.over))
        this.#engine.chunkTaken(slot, generation)
    this.#schedule()
  }

  detach(index: number): void {
    const member = this.#member(index)
    if (!member.live) return
    const { idempotent, chunks } = this.#spec as PoolSpec
    const had = [...member.flights.values()]
    const waited = member.pending.filter((entry) => isRequest(entry) || entry.kind === KIND.opened)
    const homeless = this.#homes.leave(member)
    this.#members[index] = new Member(index)
    this.#queue = [...(idempotent ? had : []), ...waited, ...this.#queue]
    // What it held of a stream is gone with it.
    const lost = [...(idempotent ? [] : had), ...(chunks ? homeless : [])]
    for (const { slot, generation } of lost) this.#engine.close(slot, generation, 'worker_lost')
    this.#schedule()
  }

  state(index: number): WorkerState {
    const { live, flights, errors, cost, requests, busyMs, sentAt } = this.#member(index)
    return {
      live,
      inFlight: flights.size,
      handlerErrors: errors,
      costNs: Math.round(cost * 1e6),
      requests,
      busyMs: sentAt === undefined ? 0 : Math.max(0, Math.floor(this.#heardAt - sentAt)),
      busyNs: Math.round(busyMs * 1e6),
      orphaned: this.#isOrphaned(this.#member(index)),
      waiting: this.#queue.length,
    }
  }

  /**
   * Takes those records of a turn that workers handle, and answers them in engine.replies.
   * @returns the indexes of those that are left for the host
   */
  dispatch(count: number): number[] {
    const { replies } = this.#engine
    const left: number[] = []
    for (let index = 0; index < count; index++) {
      const entry = this.#entry(index)
      if (!this.#takes(entry)) {
        left.push(index)
        continue
      }
      this.#journal?.handed(entry)
      replies[index * REPLY_WORDS] = isAnsweredLater(entry) ? ANSWER.later : ANSWER.none
      this.#hand(entry)
    }
    if (left.length < count) this.#schedule()
    return left
  }

  #entry(index: number): Entry {
    const { records, slab } = this.#engine
    const word = index * RECORD_WORDS
    const at = (place: number): number => records[word + place] as number
    const offset = at(RECORD.offset)
    return {
      kind: at(RECORD.kind),
      slot: at(RECORD.slot),
      generation: at(RECORD.generation),
      sequence: at(RECORD.sequence),
      extra: at(RECORD.extra),
      ticket: NO_TICKET,
      // By reference: what was received is never written over.
      bytes: new View(slab.buffer, slab.byteOffset + offset, at(RECORD.length)),
    }
  }

  /** What is no request concerns only the worker that knows the connection. */
  #takes(entry: Entry): boolean {
    const { kind, slot, generation } = entry
    if (isRequest(entry)) return true
    if (kind === KIND.closed || kind === KIND.drained)
      return this.#homes.find(slot, generation) !== undefined
    return this.#spec?.sticky === true
  }

  #hand(entry: Entry): void {
    const { kind, slot, generation } = entry
    const home =
      this.#spec?.sticky || !isRequest(entry) ? this.#homes.find(slot, generation) : undefined
    if (home === undefined) {
      this.#queue.push(entry)
      // Or the connection's next record would find no home either, and a further one.
      if (this.#spec?.sticky) this.#assignHomes()
      return
    }
    if (isRequest(entry) || kind === KIND.chunk) this.#describe(home, entry)
    this.#give(home, entry)
    if (kind === KIND.closed) this.#homes.delete(slot)
  }

  #give(member: Member, entry: Entry): void {
    if (isRequest(entry)) entry.ticket = this.#ticket()
    member.pending.push(entry)
  }

  #ticket(): number {
    this.#tickets = (this.#tickets + 1) % NO_TICKET
    return this.#tickets
  }

  /** What the handler may ask of its connection object goes ahead of its records, once a batch. */
  #describe(member: Member, { slot, generation }: Entry): void {
    const last = member.pending.findLast((entry) => entry.kind !== TOLD.taken)
    if (last?.slot === slot && last.generation === generation) return
    const info = this.#engine.info(slot, generation)
    if (info === undefined) return
    const bytes = Buffer.from(JSON.stringify(info))
    const entry = { slot, generation, sequence: 0, extra: 0, ticket: NO_TICKET, bytes }
    member.pending.push({ kind: TOLD.info, ...entry })
  }

  // Behind everything that this round of the loop brings: one message instead of one for each chunk.
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  /** Hands on what waits: for a worker that is free, or for the end of a turn. */
  #pump(): void {
    const { sticky, idempotent } = this.#spec as PoolSpec
    if (sticky) this.#assignHomes()
    for (const member of this.#members) {
      if (!member.live || member.sentAt !== undefined) continue
      if (!sticky) this.#fetch(member)
      member.send(idempotent)
    }
  }

  /** Gives a worker that is free what waits for any. */
  #fetch(member: Member): void {
    const { oneShot } = this.#spec as PoolSpec
    if (member.retiring || member.spent) return
    let room = oneShot ? 1 : member.room - member.pending.length
    let taken = 0
    for (const entry of this.#queue) {
      if (room <= 0) break
      taken++
      if (!this.#engine.isOpen(entry.slot, entry.generation)) continue
      if (oneShot) {
        member.spent = true
        this.#describe(member, entry)
      }
      this.#give(member, entry)
      room--
    }
    this.#queue.splice(0, taken)
  }

  /** From here on a connection's own records go to one worker. */
  #assignHomes(): void {
    const queue = this.#queue
    let taken = 0
    for (const entry of queue) {
      const { slot, generation } = entry
      const isOpen = this.#engine.isOpen(slot, generation)
      const member = isOpen
        ? (this.#homes.find(slot, generation) ?? this.#leastLoaded())
        : undefined
      if (isOpen && member === undefined) break
      taken++
      if (member === undefined) continue
      this.#homes.settle(slot, generation, member)
      this.#describe(member, entry)
      this.#give(member, entry)
    }
    queue.splice(0, taken)
  }

  /** Of those with as little to do, each in its turn. */
  #leastLoaded(): Member | undefined {
    const count = this.#members.length
    let best: Member | undefined
    this.#next++
    for (let i = 0; i < count; i++) {
      const member = this.#member((this.#next + i) % count)
      if (!member.live || member.retiring) continue
      if (best === undefined || member.load < best.load) best = member
    }
    return best
  }

  /** The handler looks at its connection, which may have gone while the worker had its request. */
  #watch(member: Member, { slot, generation }: Entry): void {
    if (!this.#spec?.sticky) this.#homes.settle(slot, generation, member)
    this.#engine.watch(slot, generation)
    if (this.#engine.isKnown(slot, generation) || !this.#homes.find(slot, generation)) return
    this.#homes.delete(slot)
    const bytes = Buffer.alloc(0)
    const gone = { slot, generation, sequence: 0, extra: 0, ticket: NO_TICKET, bytes }
    this.#give(member, { kind: KIND.closed, ...gone })
  }

  /** Nobody gets what it works for; where it is not told so, it may do that for ever. */
  #isOrphaned({ live, flights }: Member): boolean {
    if (!this.#spec?.oneShot || !live || flights.size === 0) return false
    return [...flights.values()].every(
      ({ slot, generation }) => !this.#engine.isOpen(slot, generation),
    )
  }

  #member(index: number): Member {
    return this.#members[index] as Member
  }
}

/** The rest of the records wants no answer. A chunk is answered when its worker has cut it. */
const isAnsweredLater = (entry: Entry): boolean =>
  isRequest(entry) || entry.kind === KIND.chunk || entry.kind === KIND.ended
