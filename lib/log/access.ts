// The access log: one line a request, one at the end of each connection. Lines of one turn of the event loop are
// gathered and written at once. docs/logs.md says what stands in them.

import type { CloseReason } from '../engine/reasons.js'
import type { LogFormat } from './logger.js'
import { fieldText, safeJson } from './text.js'

/** What became of a request: answered, failed in the handler, or its connection ended before the answer. */
export type Outcome = 'ok' | 'failed' | CloseReason

/** A connection as the lines name it. */
export interface AccessConnection {
  /** `<slot>.<generation>`. */
  readonly id: string
  readonly peer: string
  readonly local: string
}

/** The numbers of one request: bytes of request and reply, microseconds from hand-over to answer. */
export interface RequestEntry {
  readonly request: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly us: number
  readonly status: Outcome
  /** The handler worker that had it, where this process has some. */
  readonly worker?: string
}

/** The totals of a connection; microseconds from its first byte of life to its end. */
export interface CloseEntry {
  readonly reason: CloseReason
  readonly requests: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly us: number
}

/** The parts of a line that stay the same, made once. */
interface Form {
  open(time: string, event: 'request' | 'close'): string
  /** Peer, local and connection. */
  head(connection: AccessConnection): string
  number(name: string, value: number): string
  word(name: string, value: string): string
  readonly close: string
}

const TEXT: Form = {
  open: (time, event) => `${time} ${event}`,
  head: ({ peer, local, id }) =>
    ` peer=${fieldText(peer)} local=${fieldText(local)} connection=${id}`,
  number: (name, value) => ` ${name}=${value}`,
  word: (name, value) => ` ${name}=${fieldText(value)}`,
  close: '\n',
}

const JSON_FORM: Form = {
  open: (time, event) => `{"time":"${time}","event":"${event}"`,
  head: ({ peer, local, id }) =>
    `,"peer":${JSON.stringify(peer)},"local":${JSON.stringify(local)},"connection":"${id}"`,
  number: (name, value) => `,"${name}":${value}`,
  word: (name, value) => `,"${name}":${safeJson(JSON.stringify(value))}`,
  close: '}\n',
}

export interface AccessOptions {
  format: LogFormat
  worker: string
  /** Takes whole lines, each with its end. */
  write(lines: string): void
}

/** Characters after which lines are written without waiting for the turn's end. */
const GATHER = 64 * 1024

export class AccessLog {
  readonly #form: Form
  readonly #write: (lines: string) => void
  readonly #worker: string
  readonly #workerName: string
  #handler = ''
  #lines = ''
  #isScheduled = false
  #timeAt = 0
  #time = ''

  constructor({ format, worker, write }: AccessOptions) {
    this.#form = format === 'json' ? JSON_FORM : TEXT
    this.#write = write
    this.#workerName = worker
    this.#worker = this.#form.word('worker', worker)
  }

  /** The name of what handles the requests from now on. */
  set handler(name: string) {
    this.#handler = this.#form.word('handler', name.slice(0, 200))
  }

  /** What the lines of a connection have in common; kept by the caller for as long as it lives. */
  head(connection: AccessConnection): string {
    return this.#form.head(connection)
  }

  request(head: string, entry: RequestEntry): void {
    const { request, status, worker } = entry
    const form = this.#form
    const by =
      worker === undefined ? this.#worker : form.word('worker', `${this.#workerName}/${worker}`)
    this.#line(
      'request',
      head,
      form.number('request', request) +
        this.#traffic(entry) +
        form.word('status', status) +
        this.#handler +
        by,
    )
  }

  close(head: string, entry: CloseEntry): void {
    const { reason, requests } = entry
    const form = this.#form
    this.#line(
      'close',
      head,
      form.word('reason', reason) +
        form.number('requests', requests) +
        this.#traffic(entry) +
        this.#worker,
    )
  }

  /** What both kinds of lines say in the same words. */
  #traffic({ bytesIn, bytesOut, us }: RequestEntry | CloseEntry): string {
    const form = this.#form
    return form.number('in', bytesIn) + form.number('out', bytesOut) + form.number('us', us)
  }

  #line(event: 'request' | 'close', head: string, rest: string): void {
    const form = this.#form
    this.#add(form.open(this.#now(), event) + head + rest + form.close)
  }

  /** Writes what was gathered. */
  flush(): void {
    this.#isScheduled = false
    const lines = this.#lines
    this.#lines = ''
    if (lines !== '') this.#write(lines)
  }

  #add(line: string): void {
    this.#lines += line
    if (this.#lines.length >= GATHER) this.flush()
    else if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(() => this.flush())
    }
  }

  /** The same text for all lines of a millisecond. */
  #now(): string {
    const now = Date.now()
    if (now !== this.#timeAt) {
      this.#timeAt = now
      this.#time = new Date(now).toISOString()
    }
    return this.#time
  }
}
