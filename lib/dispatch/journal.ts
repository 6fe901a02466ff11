// What becomes of requests that workers have, for the access log. The server's pool keeps notes of it
// (native/pool/journal.h), which the ledger is told here; what only a worker knows it sends to that pool.

import { NOTE_AT as AT, NOTE, NOTE_WORDS as WORDS } from '../engine/notes.js'
import { REASONS } from '../engine/reasons.js'
import type { Ledger } from './ledger.js'

/** What only a worker knows: requests that it has cut itself, and failures of its handler. */
export interface WorkerJournal {
  handedOver(slot: number, generation: number, sequence: number, bytesIn: number): void
  /** @param bytes of the apology that the client gets; none: its connection is closed */
  failed(slot: number, generation: number, sequence: number, bytes?: number): void
}

/** @param send WorkerEngine.note() */
export function workerJournal(
  send: (kind: number, slot: number, generation: number, sequence: number, value: number) => void,
): WorkerJournal {
  return {
    handedOver: (...request) => send(NOTE.handed, ...request),
    failed: (slot, generation, sequence, bytes = 0) =>
      send(NOTE.failed, slot, generation, sequence, bytes),
  }
}

/** @param nameOf what the worker at a place is called */
export function tellLedger(
  ledger: Ledger,
  notes: Uint32Array,
  nameOf: (place: number) => string,
): void {
  for (let at = 0; at < notes.length; at += WORDS) {
    const word = (place: number): number => notes[at + place] as number
    const [slot, generation, sequence] = [word(AT.slot), word(AT.generation), word(AT.sequence)]
    const value = word(AT.value)
    switch (word(AT.kind)) {
      case NOTE.handed:
        ledger.handedOver(slot, generation, sequence, value, word(AT.agoUs) / 1000)
        break
      case NOTE.piece:
        ledger.replied(slot, generation, sequence, { bytes: value, isWhole: false })
        break
      case NOTE.answered: {
        const worker = nameOf(word(AT.member))
        ledger.replied(slot, generation, sequence, { bytes: value, isWhole: true, worker })
        break
      }
      case NOTE.failed:
        ledger.failed(slot, generation, sequence, value, nameOf(word(AT.member)))
        break
      case NOTE.opened:
        ledger.opened(slot, generation)
        break
      case NOTE.closed:
        ledger.closed(slot, generation, REASONS[value] ?? 'io_error')
    }
  }
}
