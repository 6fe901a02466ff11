// What workers say, done to the engine's connections.

import { REPLY_FLAG } from '../../layout.js'
import { NOTE } from '../../notes.js'
import type { Batch } from '../../pool.js'
import { REASONS } from '../../reasons.js'
import { type Entry, entriesOf, GONE, NO_TICKET, SAID, TOLD } from './batch.js'
import type { Journal } from './journal.js'
import type { Member } from './member.js'
import type { PoolEngine } from './pool.js'

const EMPTY = new Uint8Array(0)

export class Orders {
  readonly #engine: PoolEngine
  /** Where there is an access log. */
  journal: Journal | undefined
  readonly #watch: (member: Member, entry: Entry) => void

  constructor(engine: PoolEngine, watch: (member: Member, entry: Entry) => void) {
    this.#engine = engine
    this.#watch = watch
  }

  obey(member: Member, batch: Batch): void {
    for (const entry of entriesOf(batch)) this.#one(member, entry)
  }

  #one(member: Member, entry: Entry): void {
    const engine = this.#engine
    const { kind, slot, generation, sequence, extra, ticket, bytes } = entry
    switch (kind) {
      case SAID.reply:
        this.#reply(member, entry)
        break
      case SAID.write:
        acknowledge(member, entry, engine.write(slot, generation, bytes))
        break
      case SAID.end:
        engine.end(slot, generation)
        break
      case SAID.close:
        landAll(member, entry)
        engine.close(slot, generation, REASONS[extra] ?? 'closed')
        break
      case SAID.pause:
        engine.pause(slot, generation)
        break
      case SAID.resume:
        engine.resume(slot, generation)
        break
      case SAID.framed:
        engine.framed(slot, generation, sequence, extra !== 0)
        break
      case SAID.ended:
        engine.heardEnd(slot, generation)
        break
      case SAID.watch:
        this.#watch(member, entry)
        break
      case SAID.fail:
        member.flights.delete(ticket)
        engine.close(slot, generation, 'handler_error')
        break
      case SAID.note:
        this.#note(member, entry)
    }
  }

  /** What only the worker knows. */
  #note(member: Member, entry: Entry): void {
    const { bytes, ticket, extra } = entry
    const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readDoubleLE()
    const ago = performance.timeOrigin + performance.now() - at
    this.journal?.add(ticket, entry, extra, member.index, ago)
  }

  #reply(member: Member, entry: Entry): void {
    const { slot, generation, sequence, extra, ticket, bytes } = entry
    const more = (extra & REPLY_FLAG.more) !== 0
    if (!more) member.flights.delete(ticket)
    // Of a connection that has gone its end tells what became of the request.
    if (this.#engine.isOpen(slot, generation))
      this.journal?.add(more ? NOTE.piece : NOTE.answered, entry, bytes.length, member.index)
    const isNone = bytes.length === 0 && (extra & REPLY_FLAG.empty) === 0
    const data = isNone ? undefined : bytes
    const queued = this.#engine.reply(slot, generation, sequence, data, extra)
    if (more) acknowledge(member, entry, queued)
  }
}

/** Nobody answers the connection's requests any more. */
function landAll({ flights }: Member, { slot, generation }: Entry): void {
  for (const [ticket, flight] of flights)
    if (flight.slot === slot && flight.generation === generation) flights.delete(ticket)
}

/** A piece has been taken: the worker, which sees no socket, learns how much waits there. */
function acknowledge(member: Member, { slot, generation, bytes }: Entry, queued: number): void {
  member.pending.push({
    kind: TOLD.taken,
    slot,
    generation,
    sequence: queued < 0 ? GONE : queued,
    extra: bytes.length,
    ticket: NO_TICKET,
    bytes: EMPTY,
  })
}
