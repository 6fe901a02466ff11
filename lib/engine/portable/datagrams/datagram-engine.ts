// The engine of datagrams over node:dgram, and of messages over ZeroMQ: each is a request, and a connection of its own to the host, as in
// native/loop/datagrams.cc. Those that arrive in one round of Node's loop are one turn.

import { emptyStats } from '../../counters.js'
import type {
  Address,
  ConnectionInfo,
  ConnectionList,
  EngineHost,
  EngineOptions,
  EngineStats,
  Limits,
  ListenSpec,
} from '../../engine.js'
import { ANSWER, KIND, RECORD, RECORD_WORDS, REPLY, REPLY_FLAG, REPLY_WORDS } from '../../layout.js'
import { ABNORMAL, type CloseReason, REASONS } from '../../reasons.js'
import { DatagramCodec } from '../compress/datagrams.js'
import { methodOf } from '../compress/methods.js'
import { PoolHost } from '../pool/host.js'
import { type PoolEngine, PortablePool } from '../pool/pool.js'
import { MAX_RECORDS } from '../records.js'
import { Timing } from '../timing.js'
import type { DatagramSocket, OpenSocket, Origin, Receiver } from './datagramsocket.js'
import { Expiry } from './expiry.js'
import { type Flight, Flights } from './flights.js'
import { DatagramRecords } from './records.js'
import { DatagramSockets } from './sockets.js'
import { UdpSocket } from './udpsocket.js'
import { zeromqName } from './zeromq.js'
import { ZmqSocket } from './zmqsocket.js'

const OUT_BYTES = 256 * 1024
const NO_BIGS: readonly Buffer[] = []

export class DatagramEngine implements PoolEngine {
  readonly name = 'portable'
  readonly isDatagram = true
  readonly hasMessages = false
  readonly description: string
  readonly bigs = NO_BIGS
  readonly replies = new Uint32Array(MAX_RECORDS * REPLY_WORDS)
  readonly out = Buffer.allocUnsafeSlow(OUT_BYTES)
  readonly pool: PortablePool

  readonly #amplification: number
  /** Where they are compressed. */
  readonly #codec: DatagramCodec | undefined
  readonly #host: EngineHost
  readonly #counters: EngineStats = emptyStats()
  readonly #timing = new Timing()
  readonly #flights = new Flights()
  readonly #records = new DatagramRecords()
  readonly #sockets: DatagramSockets
  readonly #expiry: Expiry
  #limits: Limits
  /** Ends that the host is still to be told. */
  #ends: { flight: Flight; reason: number }[] = []
  #due: NodeJS.Immediate | undefined
  /** Called when nothing is on its way any more. */
  #landed: (() => void) | undefined

  constructor(options: EngineOptions, host: EngineHost) {
    this.description = options.zmq === undefined ? 'node:dgram' : zeromqName()
    this.#amplification = options.amplification
    const method = methodOf(options.compress)
    this.#codec = method && new DatagramCodec(method, options.compress, this.#counters)
    this.#limits = options.limits
    this.#expiry = new Expiry(this.#flights, options.limits.handlerTimeout, (flight) =>
      this.#end(flight, 'handler_timeout'),
    )
    this.pool = new PortablePool(this)
    this.#host = new PoolHost(this, this.pool, host)
    const receiver: Receiver = {
      received: (...datagram) => this.#received(...datagram),
      // Whatever it says of one datagram, the socket goes on (pitfall 29).
      failed: () => this.#counters.icmp_errors++,
      unfit: (length) => this.#drop('datagrams_multipart', length),
    }
    this.#sockets = new DatagramSockets(receiver, this.#opener(options))
  }

  get records(): Uint32Array {
    return this.#records.words
  }

  get slab(): Buffer {
    return this.#records.slab
  }

  async listen(spec: ListenSpec): Promise<Address> {
    return this.#sockets.listen(spec)
  }

  start(): void {
    this.#sockets.start()
  }

  reply(
    slot: number,
    generation: number,
    _sequence: number,
    data: Uint8Array | undefined,
    flags: number,
  ): number {
    const flight = this.#open(slot, generation)
    if (flight === undefined) return -1
    // An empty reply is a datagram, no reply is none.
    if (data !== undefined) this.#send(flight, Buffer.from(data))
    if ((flags & REPLY_FLAG.more) !== 0) return 0
    this.#counters.replies++
    this.#end(flight, 'done')
    return 0
  }

  write(slot: number, generation: number, data: Uint8Array): number {
    const bytes = data.length === 0 ? undefined : data
    return this.reply(slot, generation, 0, bytes, REPLY_FLAG.more)
  }

  end(): void {}

  close(slot: number, generation: number, reason: CloseReason): void
  close(graceMs: number): Promise<void>
  close(first: number, generation?: number, reason?: CloseReason): Promise<void> | void {
    if (generation === undefined || reason === undefined) return this.#shutDown(first)
    const flight = this.#open(first, generation)
    if (flight !== undefined) this.#end(flight, reason)
  }

  pause(): void {}

  resume(): void {}

  framed(): void {}

  heardEnd(): void {}

  chunkTaken(): void {}

  watch(slot: number, generation: number): void {
    const flight = this.#open(slot, generation)
    if (flight !== undefined) flight.watched = true
  }

  isOpen(slot: number, generation: number): boolean {
    return this.#open(slot, generation) !== undefined
  }

  isKnown(slot: number, generation: number): boolean {
    return this.#flights.find(slot, generation) !== undefined
  }

  info(slot: number, generation: number): ConnectionInfo | undefined {
    const flight = this.#flights.find(slot, generation)
    if (flight === undefined) return undefined
    const { from, socket, length, sent } = flight
    const remote = socket.remoteOf(from)
    return { remote, local: socket.address, bytesIn: length, bytesOut: sent, requests: 1 }
  }

  stats(): EngineStats {
    const { latency, lag } = this.#timing
    const active = this.#flights.live
    const closed = { ...this.#counters.closed }
    return {
      ...this.#counters,
      active,
      closed,
      latency: latency.distribution,
      lag: lag.distribution,
    }
  }

  /** Datagrams are counted; none is worth a line. */
  connections(): ConnectionList {
    const { live } = this.#flights
    return { connections: live, in_flight: live, queued_bytes: 0, paused: 0, list: [] }
  }

  setLimits(limits: Limits): void {
    this.#limits = limits
    this.#steer()
    this.#expiry.limit = limits.handlerTimeout
  }

  stopListening(): void {
    this.#sockets.stop()
  }

  watchListener(listener: number): void {
    this.#sockets.want(listener, true)
  }

  unwatchListener(listener: number): void {
    this.#sockets.want(listener, false)
  }

  get accepting(): boolean {
    return this.#sockets.receiving
  }

  #open(slot: number, generation: number): Flight | undefined {
    const flight = this.#flights.find(slot, generation)
    return flight?.live ? flight : undefined
  }

  #opener({ zmq }: EngineOptions): OpenSocket {
    if (zmq === undefined) return UdpSocket.opened
    const circumstances = { options: zmq, limits: () => this.#limits }
    return (spec, receiver) => ZmqSocket.open(spec, receiver, circumstances)
  }

  #drop(counter: 'datagrams_cut' | 'datagrams_multipart', length: number): void {
    if (this.#codec === undefined) this.#counters.bytes_in += length
    this.#counters[counter]++
  }

  #received(socket: DatagramSocket, wire: Buffer, from: Origin): void {
    const counters = this.#counters
    const { maxFrameSize } = this.#limits
    const { length } = wire
    if (maxFrameSize > 0 && length > maxFrameSize) {
      this.#drop('datagrams_cut', length)
      return
    }
    const bytes = this.#codec === undefined ? wire : this.#codec.inflate(wire, this.#limits)
    if (bytes === undefined) return
    counters.bytes_in += bytes.length
    if (!this.#records.fits(bytes.length)) this.#turn()
    const flight = this.#flights.begin(socket, from, length)
    this.#records.request(flight, bytes)
    counters.accepted++
    counters.requests++
    this.#steer()
    this.#schedule()
  }

  /** Reads on or not, as max_connections says. */
  #steer(): void {
    const { maxConnections } = this.#limits
    const full = maxConnections > 0 && this.#flights.live >= maxConnections
    if (full === this.#sockets.paused) return
    if (full) this.#counters.accept_paused_limit++
    this.#sockets.paused = full
  }

  // Node's loop runs it when all that has arrived by now was taken.
  #schedule(): void {
    this.#due ??= setImmediate(() => {
      this.#due = undefined
      this.#turn()
    })
  }

  /** Hands up what is here, and sends the answers. */
  #turn(): void {
    const records = this.#records
    const counters = this.#counters
    const ends = this.#ends.splice(0, records.room)
    for (const { flight, reason } of ends) records.closed(flight, reason)
    const { count } = records
    if (count === 0) return
    counters.turns++
    counters.batches++
    counters.records += count
    const began = performance.now()
    this.#host.turn(count)
    const ms = this.#timing.turned(began)
    const { stallWarning } = this.#limits
    if (stallWarning > 0 && ms >= stallWarning) this.#host.stalled(count, ms)
    for (let index = 0; index < count; index++) this.#take(index)
    records.clear()
    this.#timing.sent()
    if (this.#ends.length > 0) this.#schedule()
    this.#look()
  }

  /** The answer to record `index`. */
  #take(index: number): void {
    const { words } = this.#records
    const word = index * RECORD_WORDS
    const at = (place: number): number => words[word + place] as number
    const flight = this.#flights.find(at(RECORD.slot), at(RECORD.generation))
    if (flight === undefined) return
    if (at(RECORD.kind) === KIND.closed) this.#flights.release(flight)
    else if (flight.live) this.#answer(flight, index, at(RECORD.offset), at(RECORD.length))
  }

  #answer(flight: Flight, index: number, offset: number, length: number): void {
    const word = index * REPLY_WORDS
    const start = this.replies[word + REPLY.offset] as number
    const end = start + (this.replies[word + REPLY.length] as number)
    switch ((this.replies[word + REPLY.kind] as number) & 0xff) {
      case ANSWER.failed:
        this.#end(flight, 'handler_error')
        return
      case ANSWER.later:
        this.#flights.wait(flight, performance.now())
        this.#expiry.start()
        return
      case ANSWER.same:
        this.#send(flight, this.slab.subarray(offset, offset + length))
        break
      case ANSWER.slab:
        this.#send(flight, this.slab.subarray(start, end))
        break
      case ANSWER.out:
        // It is written anew in each turn.
        this.#send(flight, Buffer.from(this.out.subarray(start, end)))
    }
    this.#counters.replies++
    this.#timing.answeredNow(1)
    this.#end(flight, 'done')
  }

  /** By reference. */
  #send(flight: Flight, plain: Uint8Array): void {
    const bytes = this.#codec?.deflate(plain) ?? plain
    const most = this.#amplification * flight.length
    if (this.#amplification > 0 && flight.sent + bytes.length > most) {
      this.#counters.datagrams_held_back++
      return
    }
    flight.sent += bytes.length
    if (this.#codec !== undefined) this.#counters.bytes_out += plain.length
    flight.socket.send(bytes, flight.from, this.#sent)
  }

  readonly #sent = (bytes: number | undefined): void => {
    const counters = this.#counters
    if (bytes === undefined) counters.datagrams_unsent++
    else if (this.#codec === undefined) counters.bytes_out += bytes
    else counters.compressed_bytes_out += bytes
    this.#look()
  }

  /** Nothing more is sent to its sender. */
  #end(flight: Flight, reason: CloseReason): void {
    this.#flights.end(flight)
    this.#counters.closed[reason]++
    if (flight.watched || ABNORMAL.has(reason)) {
      this.#ends.push({ flight, reason: REASONS.indexOf(reason) })
      this.#schedule()
    } else this.#flights.release(flight)
    this.#steer()
    this.#look()
  }

  #look(): void {
    if (this.#landed === undefined || this.#flights.used > 0 || this.#sockets.pending > 0) return
    this.#landed()
  }

  async #shutDown(graceMs: number): Promise<void> {
    this.#sockets.stop()
    const until = performance.now() + graceMs
    const endAll = () => {
      for (const flight of this.#flights) this.#end(flight, 'shutdown')
      this.#sockets.drop()
    }
    if (graceMs <= 0) endAll()
    const timer = setTimeout(endAll, graceMs)
    await new Promise<void>((resolve) => {
      this.#landed = resolve
      this.#look()
    })
    clearTimeout(timer)
    this.#expiry.stop()
    await this.#sockets.close(Math.max(0, until - performance.now()))
  }
}
