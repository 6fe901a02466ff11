// What is known of each request from its hand-over to its answer, for the access log. There is a ledger only where
// that log is on: the dispatcher then runs loggedLoop() or loggedBatchLoop(), and engine.reply() is watched.

import { endpoint } from '../engine/endpoint.js'
import type { Engine } from '../engine/engine.js'
import {
  ANSWER,
  KIND,
  RECORD,
  RECORD_WORDS,
  REPLY,
  REPLY_FLAG,
  REPLY_WORDS,
} from '../engine/layout.js'
import type { CloseReason } from '../engine/reasons.js'
import type { AccessLog, Outcome } from '../log/access.js'
import type { Wrapping } from './wrapping.js'

/** A request that is not answered yet. */
interface Pending {
  readonly bytesIn: number
  /** Of its reply so far. */
  bytesOut: number
  readonly start: number
}

/** One connection. */
interface Account {
  readonly generation: number
  /** What its lines have in common. */
  readonly head: string
  readonly since: number
  /** By request number; made when a request is answered later. */
  pending: Map<number, Pending> | undefined
  /** The handler failed: the engine sends no reply any more, whatever it is given. */
  isBroken: boolean
}

/** What engine.reply() was given within the turn that hands the request over. */
interface Early {
  bytesOut: number
  isWhole: boolean
}

/** A reply, or a piece of one. */
export interface Replied {
  bytes: number
  isWhole: boolean
  /** Who gave it; this process without. */
  worker?: string
}

const now = (): number => performance.now()

export class Ledger {
  readonly #access: AccessLog
  readonly #engine: Engine
  readonly #wrapping: Wrapping
  readonly #bySlot: (Account | undefined)[] = []
  readonly #early = new Map<string, Early>()
  /** Requests of this turn that get an apology. */
  readonly #apologies = new Set<string>()
  #inTurn = false

  constructor(access: AccessLog, engine: Engine, wrapping: Wrapping) {
    this.#access = access
    this.#engine = engine
    this.#wrapping = wrapping
    this.#watch(engine)
  }

  beginTurn(): void {
    this.#inTurn = true
  }

  endTurn(): void {
    this.#inTurn = false
    if (this.#early.size > 0) this.#early.clear()
    if (this.#apologies.size > 0) this.#apologies.clear()
  }

  opened(slot: number, generation: number): void {
    this.#account(slot, generation)
  }

  /** Record `index` of this turn was handed over at `start` and its answer stands in engine.replies, or will come. */
  record(index: number, start: number): void {
    const { records, replies } = this.#engine
    const at = index * RECORD_WORDS
    if (((records[at] as number) & 0xff) !== KIND.request) return
    const slot = records[at + RECORD.slot] as number
    const generation = records[at + RECORD.generation] as number
    const sequence = records[at + RECORD.sequence] as number
    const bytesIn = records[at + RECORD.length] as number
    const answer = index * REPLY_WORDS
    const pending = { bytesIn, bytesOut: 0, start }
    const account = this.#account(slot, generation)
    const kind = (replies[answer] as number) & 0xff
    if (kind === ANSWER.failed) {
      account.isBroken = true
      this.#write(account, sequence, pending, 'failed')
      return
    }
    const outcome = this.#outcome(slot, generation, sequence)
    if (kind === ANSWER.later || account.isBroken) {
      this.#later(account, slot, sequence, pending, outcome)
      return
    }
    if (kind === ANSWER.same) pending.bytesOut = this.#sent(this.#wrapping.size(bytesIn))
    else if (kind !== ANSWER.none)
      pending.bytesOut = this.#sent(replies[answer + REPLY.length] as number)
    this.#write(account, sequence, pending, outcome)
  }

  /** A request is handed over; its answer goes through engine.reply(), or is told by replied(). */
  handedOver(slot: number, generation: number, sequence: number, bytesIn: number, agoMs = 0): void {
    const pending = { bytesIn, bytesOut: 0, start: now() - agoMs }
    this.#put(this.#account(slot, generation), sequence, pending)
  }

  /**
   * A request gets no answer, or no more of it, because the handler failed.
   * @param apology bytes of what the client is told in its place; 0: its connection is closed at once
   */
  failed(slot: number, generation: number, sequence: number, apology = 0, worker?: string): void {
    const account = this.#find(slot, generation)
    const pending = account?.pending?.get(sequence)
    if (account === undefined || pending === undefined) {
      // Within a turn the record says the rest.
      if (this.#inTurn && apology > 0) this.#apologies.add(key(slot, generation, sequence))
      return
    }
    if (apology === 0) account.isBroken = true
    pending.bytesOut += this.#sent(apology)
    account.pending?.delete(sequence)
    this.#write(account, sequence, pending, 'failed', worker)
  }

  /** Requests without an answer are told by the reason that their connection ended for. */
  closed(slot: number, generation: number, reason: CloseReason): void {
    const account = this.#account(slot, generation)
    for (const [sequence, pending] of account.pending ?? [])
      this.#write(account, sequence, pending, reason)
    const info = this.#engine.info(slot, generation)
    this.#access.close(account.head, {
      reason,
      requests: info?.requests ?? 0,
      bytesIn: info?.bytesIn ?? 0,
      bytesOut: info?.bytesOut ?? 0,
      us: microseconds(account.since),
    })
    this.#bySlot[slot] = undefined
  }

  /** Shadows reply() of this one engine, which costs nothing where no ledger is. */
  #watch(engine: Engine): void {
    const reply = engine.reply.bind(engine)
    engine.reply = (slot, generation, sequence, data, flags) => {
      const waiting = reply(slot, generation, sequence, data, flags)
      // Below 0 the connection is gone: its closed record tells what became of the request.
      if (waiting >= 0) {
        const length = data?.length ?? 0
        const isFramed = data !== undefined && (flags & REPLY_FLAG.frame) !== 0
        const bytes = isFramed ? this.#wrapping.size(length) : length
        this.replied(slot, generation, sequence, {
          bytes,
          isWhole: (flags & REPLY_FLAG.more) === 0,
        })
      }
      return waiting
    }
  }

  /** A request got its answer, or a piece of it. */
  replied(
    slot: number,
    generation: number,
    sequence: number,
    { bytes: given, isWhole, worker }: Replied,
  ): void {
    const bytes = this.#sent(given)
    const account = this.#find(slot, generation)
    const pending = account?.pending?.get(sequence)
    if (account === undefined || pending === undefined) {
      if (this.#inTurn && !account?.isBroken)
        this.#early.set(key(slot, generation, sequence), { bytesOut: bytes, isWhole })
      return
    }
    if (account.isBroken) return
    pending.bytesOut += bytes
    if (!isWhole) return
    account.pending?.delete(sequence)
    this.#write(account, sequence, pending, 'ok', worker)
  }

  /** What the peer gets of so many bytes that the engine was given. */
  #sent(bytes: number): number {
    return Math.max(0, bytes - this.#wrapping.hidden)
  }

  #outcome(slot: number, generation: number, sequence: number): Outcome {
    const isFailed =
      this.#apologies.size > 0 && this.#apologies.has(key(slot, generation, sequence))
    return isFailed ? 'failed' : 'ok'
  }

  #later(
    account: Account,
    slot: number,
    sequence: number,
    pending: Pending,
    outcome: Outcome,
  ): void {
    const early = this.#early.get(key(slot, account.generation, sequence))
    pending.bytesOut = early?.bytesOut ?? 0
    if (early?.isWhole) this.#write(account, sequence, pending, outcome)
    else this.#put(account, sequence, pending)
  }

  #put(account: Account, sequence: number, pending: Pending): void {
    account.pending ??= new Map()
    account.pending.set(sequence, pending)
  }

  #write(
    account: Account,
    request: number,
    pending: Pending,
    status: Outcome,
    worker?: string,
  ): void {
    const { bytesIn, bytesOut, start } = pending
    const us = microseconds(start)
    const entry = { request, bytesIn, bytesOut, us, status }
    this.#access.request(account.head, worker === undefined ? entry : { ...entry, worker })
  }

  #find(slot: number, generation: number): Account | undefined {
    const known = this.#bySlot[slot]
    return known?.generation === generation ? known : undefined
  }

  #account(slot: number, generation: number): Account {
    const known = this.#find(slot, generation)
    if (known !== undefined) return known
    const info = this.#engine.info(slot, generation)
    const head = this.#access.head({
      id: `${slot}.${generation}`,
      peer: info === undefined ? '-' : endpoint(info.remote),
      local: info === undefined ? '-' : endpoint(info.local),
    })
    const account: Account = { generation, head, since: now(), pending: undefined, isBroken: false }
    this.#bySlot[slot] = account
    return account
  }
}

const key = (slot: number, generation: number, sequence: number): string =>
  `${slot}.${generation}.${sequence}`

/** Since a moment, at least 1: the clock is coarser in some places than a handler is quick. */
const microseconds = (since: number): number => Math.max(1, Math.round((now() - since) * 1000))
