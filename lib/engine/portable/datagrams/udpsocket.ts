// A UDP socket of node:dgram: bound at once, with what it was asked to have, and silent until it is told to receive.
// The engine has them, and a supervisor, which never receives.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { getSystemErrorMap } from 'node:util'
import type { Address, ListenSpec, SocketOptions } from '../../engine.js'
import { listenFailure } from '../../listenfailure.js'
import type { DatagramSocket, Origin, Receiver } from './datagramsocket.js'

/** What node:dgram does not document: what receives, and what a socket keeps it in. */
interface Handle {
  readonly fd: number
  recvStart(): number
  recvStop(): number
}

/** A socket without its handle cannot be told to rest: datagrams would come that nobody has room for. */
function handleOf(socket: Socket): Handle {
  const symbol = Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === 'state symbol',
  )
  const state = symbol && (socket as unknown as Record<symbol, { handle?: Handle }>)[symbol]
  if (typeof state?.handle?.recvStop === 'function') return state.handle
  throw new Error(`node ${process.version} does not show the handle of a UDP socket`)
}

/** Addresses are numeric: node:dgram would ask getaddrinfo(3) for each datagram. */
const asGiven = (
  address: string,
  _family: unknown,
  done: (error: null, address: string, family: number) => void,
): void => done(null, address, isIPv6(address) ? 6 : 4)

export class UdpSocket implements DatagramSocket {
  readonly address: Address
  /** Datagrams that libuv still has. */
  pending = 0
  readonly #socket: Socket
  readonly #handle: Handle
  #receiving = false

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#handle = handleOf(socket)
    this.#handle.recvStop()
    const { address, family, port } = socket.address()
    this.address = { address, family: family === 'IPv6' ? 'IPv6' : 'IPv4', port }
  }

  /**
   * Binds, or takes over the descriptor of the spec, and sets the options.
   * @throws GaidarosError ERR_GAIDAROS_LISTEN
   */
  static open(spec: ListenSpec): UdpSocket {
    const type = isIPv6(spec.address) ? 'udp6' : 'udp4'
    const socket = createSocket({
      type,
      ipv6Only: type === 'udp6' && spec.v6only,
      lookup: asGiven as never,
    })
    let failure: Error | undefined
    const fail = (error: Error): void => {
      failure = error
    }
    try {
      // With addresses that need no looking up it is bound, or has said why not, when bind() returns.
      socket.once('error', fail)
      socket.bind(placeOf(spec))
      if (failure !== undefined) throw failure
      socket.off('error', fail)
      const opened = new UdpSocket(socket)
      if (isIPv6(opened.address.address) !== (type === 'udp6')) throw otherFamily()
      if (spec.socket !== undefined) setOptions(socket, type, spec.socket)
      if (spec.fd === undefined && !spec.socket?.receiveBuffer) widen(socket)
      return opened
    } catch (error) {
      socket.close()
      throw listenFailure(spec, error)
    }
  }

  /** Opened, and heard by `receiver`. */
  static opened(spec: ListenSpec, receiver: Receiver): UdpSocket {
    const socket = UdpSocket.open(spec)
    socket.listen(
      (bytes, from) => receiver.received(socket, bytes, from),
      () => receiver.failed(),
    )
    return socket
  }

  get fd(): number {
    return this.#handle.fd
  }

  /** @param failed called with errors that belong to no datagram of ours; the socket goes on */
  listen(message: (bytes: Buffer, from: RemoteInfo) => void, failed: () => void): void {
    this.#socket.on('message', message).on('error', failed)
  }

  get receiving(): boolean {
    return this.#receiving
  }

  /** What comes meanwhile waits in the kernel. */
  set receiving(on: boolean) {
    if (on === this.#receiving) return
    this.#receiving = on
    if (on) this.#handle.recvStart()
    else this.#handle.recvStop()
  }

  /** An IPv4 peer of a dual-stack socket reads as plain IPv4 (RFC 4291, 2.5.5.2). */
  remoteOf(from: Origin): Address {
    const { address, port } = from as RemoteInfo
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
    return { address: plain, family: plain.includes(':') ? 'IPv6' : 'IPv4', port }
  }

  /** `done` hears of none for want of room or of a route. */
  send(bytes: Uint8Array, from: Origin, done: (bytes: number | undefined) => void): void {
    const to = from as RemoteInfo
    this.pending++
    const sent = (error: Error | null): void => {
      this.pending--
      done(error ? undefined : bytes.length)
    }
    // Port 0 cannot be sent to: its sender was made up.
    if (to.port === 0) process.nextTick(sent, new Error('port 0'))
    else this.#socket.send(bytes, to.port, to.address, sent)
  }

  /** libuv has what was sent, and hands it to the kernel. */
  drop(): void {}

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(resolve))
  }
}

/** `exclusive`: a worker of node:cluster binds by itself. */
const placeOf = ({ fd, address, port }: ListenSpec) =>
  fd === undefined ? { address, port, exclusive: true } : { fd, exclusive: true }

type Type = 'udp4' | 'udp6'

function setOptions(socket: Socket, type: Type, options: SocketOptions): void {
  const { sendBuffer, receiveBuffer, broadcast, multicast } = options
  if (sendBuffer > 0)
    asked('setsockopt SO_SNDBUF', () => {
      socket.setSendBufferSize(sendBuffer)
      checkSize(socket.getSendBufferSize(), sendBuffer)
    })
  if (receiveBuffer > 0)
    asked('setsockopt SO_RCVBUF', () => {
      socket.setRecvBufferSize(receiveBuffer)
      checkSize(socket.getRecvBufferSize(), receiveBuffer)
    })
  if (broadcast) asked('setsockopt SO_BROADCAST', () => socket.setBroadcast(true))
  for (const group of multicast)
    if (isIPv6(group) === (type === 'udp6')) join(socket, type, group, options.interface)
}

/** Room for a burst, as the native engine makes it: as far as the kernel lets, and nothing is made less. */
function widen(socket: Socket): void {
  const bytes = 1 << 20
  if (socket.getRecvBufferSize() < 2 * bytes) socket.setRecvBufferSize(bytes)
}

/** The kernel cuts what is beyond its limit without a word, and Linux doubles what it gives (socket(7)). */
function checkSize(got: number, wanted: number): void {
  if (got >= wanted * (process.platform === 'linux' ? 2 : 1)) return
  throw systemError('ENOBUFS')
}

/** On the interface, or on the one that the kernel's routes say. */
function join(socket: Socket, type: Type, group: string, name: string): void {
  const [address = '', zone = name] = group.split('%')
  const on = zone === '' ? undefined : type === 'udp6' ? `::%${zone}` : addressOn(zone)
  const call = type === 'udp6' ? 'setsockopt IPV6_JOIN_GROUP' : 'setsockopt IP_ADD_MEMBERSHIP'
  asked(call, () => socket.addMembership(address, on))
}

/** node:dgram knows an interface by its IPv4 address. */
function addressOn(name: string): string {
  const found = networkInterfaces()[name]?.find(({ family }) => family === 'IPv4')
  if (found !== undefined) return found.address
  throw Object.assign(systemError('ENODEV'), { syscall: 'setsockopt SO_BINDTODEVICE' })
}

/** Runs what asks the kernel for something; its refusal is named as that of the native engine is. */
function asked(syscall: string, ask: () => void): void {
  try {
    ask()
  } catch (error) {
    const { code, info } = error as NodeJS.ErrnoException & { info?: { code: string } }
    throw Object.assign(systemError(info?.code ?? code ?? ''), { syscall })
  }
}

/** Of a descriptor nobody says which family it has before it is bound, when node:dgram has chosen already. */
const otherFamily = (): Error =>
  new Error('a socket of IPv6 cannot be taken over without the native addon')

function systemError(code: string): NodeJS.ErrnoException {
  const known = [...getSystemErrorMap()].find(([, [name]]) => name === code)
  const error = new Error(known === undefined ? code : known[1][1])
  return Object.assign(error, { code, ...(known && { errno: known[0] }) })
}
