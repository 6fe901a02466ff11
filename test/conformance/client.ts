// A raw TCP client for the conformance cases, which may speak TLS: it reads only when told, may half-close, reset, and
// write byte by byte; what it expects it waits for with a deadline.

import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { Coding, type Method } from './coding.js'
import { DEADLINE_MS, until, within } from './deadline.js'
import { Unfit } from './unfit.js'

export interface ClientOptions {
  host?: string
  /** Source address, for example 127.0.0.2. */
  localAddress?: string
  /** False: read nothing until read() is called. */
  reading?: boolean
  /** Speaks TLS, and believes whatever certificate it is shown. */
  tls?: tls.ConnectionOptions | undefined
  /** What it sends and expects is compressed on its way (default: as the server does it). */
  compress?: Method | 'none'
  /** Goes ahead of all that, as it is: a PROXY header. */
  ahead?: Buffer | undefined
}

/** How the server left: 'fin', 'reset', or undefined while it is still there. */
export type Departure = 'fin' | 'reset' | undefined

const SHOWN = 60
const TRUSTING = { rejectUnauthorized: false }

function shown(bytes: Buffer): string {
  const text = JSON.stringify(bytes.subarray(0, SHOWN).toString('latin1'))
  return bytes.length > SHOWN ? `${text}… (${bytes.length} bytes)` : text
}

export class Client {
  readonly socket: net.Socket
  /** What TLS is spoken over; the same as `socket` without. */
  readonly raw: net.Socket
  departure: Departure
  private isLocal = false
  private coding: Coding | undefined
  private chunks: Buffer[] = []
  private held = 0

  private constructor(socket: net.Socket, raw = socket) {
    this.socket = socket
    this.raw = raw
    socket.on('end', () => {
      this.departure ??= 'fin'
    })
    socket.on('error', ({ message }) => {
      // The server has left while TLS was being agreed on.
      const isEarly = /before secure TLS connection/.test(message)
      this.departure ??= isEarly ? 'fin' : 'reset'
      if (!isEarly) this.departure = 'reset'
    })
  }

  /** Connects to `port` on 127.0.0.1 unless told otherwise. */
  static connect(port: number, options: ClientOptions = {}): Promise<Client> {
    const { host = '127.0.0.1', localAddress } = options
    const to = { port, host, ...(localAddress === undefined ? {} : { localAddress }) }
    return Client.open(to, options)
  }

  /** Connects to a unix socket; @ stands for the abstract namespace. */
  static connectTo(path: string, options: ClientOptions = {}): Promise<Client> {
    return Client.open({ path: path.replace(/^@/, '\0') }, options)
  }

  private static async open(
    to: net.SocketConnectOpts,
    { reading = true, tls: secure, compress = 'none', ahead }: ClientOptions,
  ): Promise<Client> {
    const raw = new net.Socket({ allowHalfOpen: true })
    const client = secure === undefined ? new Client(raw) : undefined
    client?.begin(reading, compress)
    raw.on('error', () => undefined)
    const isLocal = 'path' in to
    if (!isLocal) raw.setNoDelay(true)
    raw.connect(to)
    await within(once(raw, 'connect'), `connection to ${JSON.stringify(to)}`)
    if (ahead !== undefined) raw.write(ahead)
    const connected = client ?? (await Client.secure(raw, secure, reading, compress))
    connected.isLocal = isLocal
    return connected
  }

  /** Speaks TLS from here on, over a connection that is open. A server that leaves meanwhile has departed. */
  static async secure(
    raw: net.Socket,
    options: tls.ConnectionOptions = {},
    reading = true,
    compress: Method | 'none' = 'none',
  ): Promise<Client> {
    const socket = tls.connect({ servername: 'localhost', ...options, socket: raw, ...TRUSTING })
    const client = new Client(socket, raw)
    const agreed = new Promise<void>((resolve) => {
      for (const event of ['secureConnect', 'error', 'close', 'end']) socket.once(event, resolve)
    })
    await within(agreed, 'TLS handshake')
    client.begin(reading, compress)
    return client
  }

  private begin(reading: boolean, compress: Method | 'none'): void {
    if (compress !== 'none') this.coding = new Coding(compress)
    if (reading) this.read()
    else this.socket.pause()
  }

  get localPort(): number {
    return this.raw.localPort ?? 0
  }

  /** Bytes that were received and not yet taken. */
  get pending(): number {
    return this.held
  }

  /** Starts reading, or goes on. */
  read(): this {
    if (this.socket.listenerCount('data') === 0) {
      this.socket.on('data', (chunk) => {
        const plain = this.coding?.decode(chunk) ?? chunk
        this.chunks.push(plain)
        this.held += plain.length
      })
    }
    this.socket.resume()
    return this
  }

  /** Stops reading. */
  stop(): this {
    this.socket.pause()
    return this
  }

  /** Writes without waiting; whatever the server does to the connection is no error here. */
  send(data: string | Uint8Array): this {
    if (!this.socket.destroyed && this.socket.writable)
      this.socket.write(this.coded(data), () => {})
    return this
  }

  /** Writes and waits until the kernel has it. */
  async write(data: string | Uint8Array): Promise<void> {
    const done = new Promise<void>((resolve) =>
      this.socket.write(this.coded(data), () => resolve()),
    )
    await within(done, 'room in the socket for a write')
  }

  /** Writes one byte at a time, the next only when `received` says that the server has had the one before. */
  async trickle(data: string | Uint8Array, received: () => Promise<number>): Promise<void> {
    const start = await received()
    let count = 0
    for (const byte of Buffer.from(data)) {
      this.socket.write(this.coded(Uint8Array.of(byte)))
      count++
      await until(async () => (await received()) >= start + count, `byte ${count} at the server`)
    }
  }

  private coded(data: string | Uint8Array): string | Uint8Array {
    return this.coding?.encode(data) ?? data
  }

  /** Takes the next `length` bytes. */
  async take(length: number, ms = DEADLINE_MS): Promise<Buffer> {
    await until(
      () => this.held >= length || this.departure !== undefined,
      () =>
        `${length} bytes from the server (there are ${this.held}: ${shown(Buffer.concat(this.chunks))})`,
      ms,
      () => this.held,
    )
    const all = Buffer.concat(this.chunks)
    if (all.length < length) {
      throw new Error(`server left (${this.departure}) after ${shown(all)}, ${length} bytes wanted`)
    }
    this.chunks = all.length > length ? [all.subarray(length)] : []
    this.held = all.length - length
    return all.subarray(0, length)
  }

  /** The next bytes are exactly these. */
  async expect(data: string | Uint8Array, ms = DEADLINE_MS): Promise<void> {
    const wanted = Buffer.from(data as string)
    const got = await this.take(wanted.length, ms)
    if (!got.equals(wanted)) throw new Error(`got ${shown(got)}, wanted ${shown(wanted)}`)
  }

  /** Writes a request and expects this reply (the request itself if none is given). */
  async ask(request: string | Uint8Array, reply: string | Uint8Array = request): Promise<void> {
    this.send(request)
    await this.expect(reply)
  }

  /** Everything until the server leaves. */
  async rest(ms = DEADLINE_MS): Promise<Buffer> {
    await until(
      () => this.departure !== undefined,
      () => `end from the server (${this.held} bytes so far)`,
      ms,
      () => this.held,
    )
    const all = Buffer.concat(this.chunks)
    this.chunks = []
    this.held = 0
    return all
  }

  /** The server leaves without another byte. */
  async expectEnd(how?: Exclude<Departure, undefined>, ms = DEADLINE_MS): Promise<void> {
    const rest = await this.rest(ms)
    if (rest.length > 0) throw new Error(`got ${shown(rest)} before the end, wanted nothing more`)
    if (how !== undefined && this.departure !== how) {
      throw new Error(`the server left by ${this.departure}, wanted ${how}`)
    }
  }

  /** Half-closes: sends FIN, goes on reading. */
  finish(data?: string | Uint8Array): this {
    if (this.coding !== undefined) this.socket.end(this.coding.finish(data))
    else if (data === undefined) this.socket.end()
    else this.socket.end(data)
    return this
  }

  /** Sends RST. */
  reset(): this {
    if (this.isLocal) throw new Unfit('a unix socket is not reset')
    this.raw.resetAndDestroy()
    return this
  }

  /** Closes both directions. */
  destroy(): void {
    this.socket.destroy()
  }
}
