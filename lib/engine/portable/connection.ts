// What the portable engine knows of one connection. State and questions about it; what happens to it is decided
// in arrivals.ts, turns.ts and sweep.ts.

import type { Socket } from 'node:net'
import type { Address, ConnectionInfo, Limits, ProxyInfo, TlsFacts } from '../engine.js'
import type { CloseReason } from '../reasons.js'
import type { Inflater } from './compress/inflater.js'
import { Inbox } from './inbox.js'
import { Output } from './output.js'
import { Pipeline } from './pipeline.js'

/** Replies of a request in flight may fill this many high-water marks together. */
const MARKS = 4
/** Bytes that a reply is taken to have until one was seen. */
const FIRST_REPLY = 256
/** No limit asked for: still fewer than the records of a turn. */
const MOST_ROOM = 1024

/** Input that is taken in although nobody wants it: a socket that is not read from cannot tell of a reset. */
const READ_AHEAD = 16 * 1024

/** Requests before `end` came at `at`: what handler_timeout is counted from. */
export interface Mark {
  end: number
  at: number
}

function addressOf(
  address: string | undefined,
  family: string | undefined,
  port: number | undefined,
  path: string | undefined,
): Address {
  if (path !== undefined) return { address: path, family: 'unix', port: 0 }
  return { address: address ?? '', family: family === 'IPv6' ? 'IPv6' : 'IPv4', port: port ?? 0 }
}

export class Connection {
  readonly slot: number
  readonly generation: number
  /** What is read and written; with TLS another one than was accepted. */
  socket: Socket
  /** What was accepted. */
  readonly raw: Socket
  /** As the proxy says, once it has. */
  remote: Address
  local: Address
  proxy: ProxyInfo | undefined
  /** Since when its PROXY header is waited for, and what is there of it. */
  greeting: { since: number; held: Buffer } | undefined
  /** Since when its TLS handshake is waited for. */
  opening: { since: number } | undefined
  /** TLS begins once what was asked is answered. */
  upgrading = false
  /** What was agreed on in the handshake. */
  tls: TlsFacts | undefined
  /** What was wrong, where the reason does not say it all. */
  fault: string | undefined
  /** Its opened record was given, if one is wanted. */
  announced = false
  /** Where what comes is compressed. */
  inflater: Inflater | undefined
  readonly inbox = new Inbox()
  readonly output: Output
  readonly pipeline: Pipeline

  bytesIn = 0
  /** Bytes of `output.given` that were dropped at the end. */
  unsent = 0
  requests = 0

  /** Gone; only its closed record may be to come. */
  dead = false
  /** No further requests; closes with this reason once those in flight are answered. */
  ending: CloseReason | undefined
  /** FIN is on its way behind the output; input is discarded until the peer's FIN. */
  closing: CloseReason | undefined
  /** The peer has sent FIN. */
  eof = false
  /** All input before that FIN was handed up. */
  finished = false
  /** JS, which frames, was told of the end of input. */
  endTold = false
  watched = false
  /** A chunk is with a worker: how many requests are in it is not known yet. */
  handed = false

  /** Reading stops for any of these three. */
  paused = false
  blocked = false
  stalled = false
  /** Somebody may wait for a drained record. */
  high = false
  reading = true

  /** On the list of connections to flush, or to cut further requests of. */
  dirty = false
  ready = false

  /** An unfinished frame is at hand, since `frameAt`. */
  partial = false
  frameAt = 0
  /** The client of that frame waits for 100 Continue. */
  expects = false
  /** The request whose time is being taken. */
  sampled: number | undefined
  /** Something moved since the last sweep. */
  touched = true
  acceptedAt: number
  idleAt: number
  progressAt: number
  progress = 0
  /** When FIN had been sent, and the input that was discarded since. */
  finAt = 0
  discarded = 0
  marks: Mark[] | undefined

  /** @param path of the unix socket that it came by */
  constructor(slot: number, generation: number, socket: Socket, now: number, path?: string) {
    this.slot = slot
    this.generation = generation
    this.socket = socket
    this.raw = socket
    const { remoteAddress, remoteFamily, remotePort } = socket
    const { localAddress, localFamily, localPort } = socket
    this.remote = addressOf(remoteAddress, remoteFamily, remotePort, path === undefined ? path : '')
    this.local = addressOf(localAddress, localFamily, localPort, path)
    this.output = new Output(socket)
    this.pipeline = new Pipeline(FIRST_REPLY)
    this.acceptedAt = now
    this.idleAt = now
    this.progressAt = now
  }

  /** It is read from, and written to, by another socket from now on. */
  turnTo(socket: Socket): void {
    this.socket = socket
    this.output.turnTo(socket)
  }

  /** Bytes that wait unsent, or held for their turn. */
  get queued(): number {
    return this.output.queued + this.pipeline.heldBytes
  }

  get info(): ConnectionInfo {
    const { remote, local, proxy, tls, fault, bytesIn, requests } = this
    const unsent = this.dead ? this.unsent : this.output.unsent
    const bytesOut = this.output.given - unsent
    return {
      remote,
      local,
      bytesIn,
      requests,
      bytesOut,
      ...(proxy && { proxy }),
      ...(tls && { tls }),
      ...(fault !== undefined && { fault }),
    }
  }

  /** Answers, or the word how many there will be, are still to come. */
  get isWaiting(): boolean {
    return this.handed || this.pipeline.inFlight > 0
  }

  /** There is something to cut, or an end to look at. */
  get hasInput(): boolean {
    return this.unread > 0 || this.inflater?.holds === true || (this.eof && !this.finished)
  }

  /**
   * How many further requests may be cut: their replies are bounded by their number, so where replies are
   * large there are fewer in flight.
   */
  room(limits: Limits): number {
    const { maxPipelined, outputHighWater } = limits
    const { average, inFlight } = this.pipeline
    const most = maxPipelined === 0 ? MOST_ROOM : Math.min(maxPipelined, MOST_ROOM)
    if (outputHighWater === 0 || average * most <= outputHighWater * MARKS) return most - inFlight
    return Math.max(1, Math.floor((outputHighWater * MARKS) / average)) - inFlight
  }

  /** Notes that the requests in flight which were not noted before came now. */
  mark(): void {
    const { inFlight, next } = this.pipeline
    if (inFlight === 0) {
      this.marks = undefined
      return
    }
    this.marks ??= []
    if (this.marks.at(-1)?.end !== next) this.marks.push({ end: next, at: performance.now() })
    this.#expire(this.marks)
  }

  /** Since when the oldest request in flight is waiting for its answer; undefined: none is, or it is being sent. */
  get waitingSince(): number | undefined {
    const { inFlight, streaming } = this.pipeline
    if (inFlight === 0 || streaming || this.marks === undefined) return undefined
    this.#expire(this.marks)
    return this.marks[0]?.at
  }

  /** Drops marks of which every request is answered. */
  #expire(marks: Mark[]): void {
    const { head, inFlight } = this.pipeline
    while (marks[0] !== undefined && (marks[0].end - head - 1) >>> 0 >= inFlight) marks.shift()
  }

  /** Why it is closed where the peer does not leave: what else was wrong with it says more. */
  get lingerReason(): CloseReason {
    return this.closing === undefined || this.closing === 'done' ? 'linger' : this.closing
  }

  /** Bytes of input that are not cut. */
  get unread(): number {
    return this.inbox.length + (this.inflater?.held ?? 0)
  }

  /** Reads or not, as its state says. */
  steer(): void {
    const read = this.closing !== undefined || !(this.paused || this.blocked || this.stalled)
    // Not only when that changes: a socket that was resumed starts to read once more a tick later, paused or not.
    if (!read && this.unread > READ_AHEAD) this.socket.pause()
    if (read && !this.reading) this.socket.resume()
    this.reading = read
  }
}
