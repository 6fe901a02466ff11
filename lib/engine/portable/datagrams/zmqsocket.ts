// A ROUTER socket of ZeroMQ: what REQ and DEALER sockets send it are datagrams, and a reply goes back to its peer in the
// same envelope. libzmq reads and writes in a thread of its own; here its messages are taken out and given to it.

import { isIPv6 } from 'node:net'
import { Aside } from '../../../process/socketfile.js'
import type { Address, Limits, ListenSpec, ZmqOptions } from '../../engine.js'
import { listenFailure } from '../../listenfailure.js'
import type { DatagramSocket, Origin, Receiver } from './datagramsocket.js'
import { type Envelope, openEnvelope } from './envelope.js'
import { Outbox, type Verdict } from './outbox.js'
import { type Router, zeromq } from './zeromq.js'

export interface ZmqCircumstances {
  options: ZmqOptions
  /** Those of this moment. */
  limits: () => Limits
}

export class ZmqSocket implements DatagramSocket {
  readonly address: Address
  pending = 0
  readonly #router: Router
  readonly #receiver: Receiver
  readonly #limits: () => Limits
  /** Of peers that something waits for. */
  readonly #outboxes = new Map<string, Outbox>()
  #receiving = false
  #isReading = false
  /** Came when it was not to receive any more. */
  #held: Buffer[] | undefined
  #closed = false

  private constructor(
    router: Router,
    address: Address,
    receiver: Receiver,
    { limits }: ZmqCircumstances,
  ) {
    this.#router = router
    this.address = address
    this.#receiver = receiver
    this.#limits = limits
  }

  /** Binds. @throws GaidarosError ERR_GAIDAROS_LISTEN */
  static async open(
    spec: ListenSpec,
    receiver: Receiver,
    circumstances: ZmqCircumstances,
  ): Promise<ZmqSocket> {
    let router: Router | undefined
    try {
      refuse(spec)
      router = makeRouter(spec, circumstances)
      return new ZmqSocket(router, await bind(router, spec), receiver, circumstances)
    } catch (error) {
      router?.close()
      throw listenFailure(spec, error)
    }
  }

  get receiving(): boolean {
    return this.#receiving
  }

  /** What comes meanwhile waits in libzmq, up to zmq_hwm messages of each peer, and then with the peer. */
  set receiving(on: boolean) {
    this.#receiving = on
    if (on && !this.#isReading) void this.#read()
  }

  remoteOf(from: Origin): Address {
    return { address: (from as Envelope).peer, family: 'zmq', port: 0 }
  }

  send(bytes: Uint8Array, to: Origin, done: (bytes: number | undefined) => void): void {
    const { peer, frames } = to as Envelope
    this.pending++
    const sent = (count: number | undefined): void => {
      this.pending--
      done(count)
    }
    this.#outboxOf(peer).put({ frames: [...frames, bytes], done: sent })
  }

  drop(): void {
    const outboxes = [...this.#outboxes.values()]
    this.#outboxes.clear()
    for (const outbox of outboxes) outbox.drop()
  }

  async close(graceMs: number): Promise<void> {
    this.#receiving = false
    this.#closed = true
    this.drop()
    this.#router.linger = Math.ceil(graceMs)
    this.#router.close()
  }

  #outboxOf(peer: string): Outbox {
    const there = this.#outboxes.get(peer)
    if (there !== undefined) return there
    const outbox = new Outbox({
      give: (frames) => this.#give(frames),
      limit: () => this.#limits().outputLimit,
      timeout: () => this.#limits().writeTimeout,
      empty: () => {
        if (this.#outboxes.get(peer) === outbox) this.#outboxes.delete(peer)
      },
    })
    this.#outboxes.set(peer, outbox)
    return outbox
  }

  async #give(frames: readonly Uint8Array[]): Promise<Verdict> {
    try {
      await this.#router.send(frames)
      return 'sent'
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EAGAIN' && !this.#closed ? 'full' : 'gone'
    }
  }

  async #read(): Promise<void> {
    this.#isReading = true
    while (this.#receiving) {
      const message = this.#held ?? (await this.#next())
      this.#held = undefined
      if (message === undefined) break
      if (this.#receiving) this.#take(message)
      else this.#held = message
    }
    this.#isReading = false
  }

  /** undefined: none will come any more. */
  async #next(): Promise<Buffer[] | undefined> {
    while (!this.#closed) {
      try {
        return await this.#router.receive()
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return undefined
      }
    }
    return undefined
  }

  #take(message: Buffer[]): void {
    const request = openEnvelope(message)
    if (request !== undefined) this.#receiver.received(this, request.body, request.from)
    else this.#receiver.unfit(message.reduce((sum, { length }) => sum + length, 0))
  }
}

/** What libzmq cannot be asked for. */
function refuse({ fd, address, v6only }: ListenSpec): void {
  if (fd !== undefined) throw new Error('libzmq takes no socket that is open already')
  if (address === '::' && v6only)
    throw new Error('libzmq takes in IPv4 there, too; wanted ip_version 0, or another host')
}

/** `mandatory`: a reply that has nowhere to go is told of. Milliseconds in, seconds for keepalive. */
function makeRouter(spec: ListenSpec, { options, limits }: ZmqCircumstances): Router {
  const loaded = zeromq()
  if (typeof loaded === 'string') throw new Error(loaded)
  const { maxFrameSize } = limits()
  const { sendBuffer = 0, receiveBuffer = 0, keepaliveIdle = 0 } = spec.socket ?? {}
  const { keepaliveInterval = 0, keepaliveCount = 0, userTimeout = 0 } = spec.socket ?? {}
  const seconds = (ms: number): number => Math.ceil(ms / 1000)
  return new loaded.Router({
    mandatory: true,
    sendTimeout: 0,
    linger: 0,
    ipv6: isIPv6(spec.address),
    backlog: spec.backlog,
    maxMessageSize: maxFrameSize > 0 ? maxFrameSize : -1,
    sendHighWaterMark: options.highWaterMark,
    receiveHighWaterMark: options.highWaterMark,
    ...(sendBuffer > 0 && { sendBufferSize: sendBuffer }),
    ...(receiveBuffer > 0 && { receiveBufferSize: receiveBuffer }),
    ...(keepaliveIdle > 0 && { tcpKeepalive: 1, tcpKeepaliveIdle: seconds(keepaliveIdle) }),
    ...(keepaliveInterval > 0 && { tcpKeepaliveInterval: seconds(keepaliveInterval) }),
    ...(keepaliveCount > 0 && { tcpKeepaliveCount: keepaliveCount }),
    ...(userTimeout > 0 && { tcpMaxRetransmitTimeout: userTimeout }),
  })
}

async function bind(router: Router, spec: ListenSpec): Promise<Address> {
  const { path, address, port } = spec
  if (path !== undefined) return bindPath(router, path)
  const host = isIPv6(address) ? `[${address}]` : address
  await router.bind(`tcp://${host}:${port === 0 ? '*' : port}`)
  const bound = Number(/:(\d+)$/.exec(router.lastEndpoint ?? '')?.[1])
  return { address, family: isIPv6(address) ? 'IPv6' : 'IPv4', port: bound }
}

/** libzmq removes the name that it has bound when the socket is closed: it must not be that of a successor. */
async function bindPath(router: Router, path: string): Promise<Address> {
  const address: Address = { address: path, family: 'unix', port: 0 }
  if (path.startsWith('@')) {
    await router.bind(`ipc://${path}`)
    return address
  }
  const aside = new Aside(path)
  try {
    await router.bind(`ipc://${aside.name}`)
    aside.place(false)
    return address
  } finally {
    aside.end()
  }
}
