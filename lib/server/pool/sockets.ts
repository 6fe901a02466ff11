// The listening sockets that a supervisor holds for its whole life. They are opened, or inherited from the
// supervisor before an upgrade, and handed to every server process when it is started; nothing is accepted here.
// None is closed before the end: that would reset the connections that wait in its queue.

import { spawnSync } from 'node:child_process'
import { closeSync } from 'node:fs'
import * as net from 'node:net'
import { cpus } from 'node:os'
import { getSystemErrorName } from 'node:util'
import type { Address, ListenSpec } from '../../engine/engine.js'
import { listenFailure } from '../../engine/listenfailure.js'
import { openListener } from '../../engine/native.js'
import { UdpSocket } from '../../engine/portable/datagrams/udpsocket.js'
import { GaidarosError } from '../../errors.js'
import { native, type OpenSpec } from '../../native.js'
import { Aside } from '../../process/socketfile.js'

/** One socket. `group`: all sockets of one address have the same. */
export interface HeldSocket extends Address {
  fd: number
  group: number
  backlog: number
  /** Of the service manager: used whatever host and port say. */
  activated?: boolean
}

export interface SocketsOptions {
  /** Sockets for each address; 1: all processes share it. */
  perAddress: number
  /** Without the addon node:net makes them, one for each address. */
  native: boolean
  /** Each of several takes the connections that arrive on its own processor. */
  incomingCpu?: boolean
  /** Sockets of the supervisor before: used for the addresses that they fit. */
  inherited?: readonly HeldSocket[]
}

export class Sockets {
  readonly all: HeldSocket[] = []
  readonly #options: SocketsOptions
  readonly #closers: (() => void)[] = []
  #groups = 0

  constructor(options: SocketsOptions) {
    this.#options = options
  }

  /** Opens the sockets of one address. @throws GaidarosError ERR_GAIDAROS_LISTEN */
  listen(spec: ListenSpec): Address {
    const group = this.#groups++
    const handed = this.#options.inherited?.filter((each) => isFor(each, spec)) ?? []
    if (handed.length > 0) for (const each of handed) this.#hold(each, group, spec)
    else this.#open(spec, group)
    const { address, family, port } = this.all.at(-1) as HeldSocket
    return { address, family, port }
  }

  /** Holds sockets that are open already, those of one group together. @returns their addresses */
  adopt(sockets: readonly HeldSocket[]): Address[] {
    for (const socket of sockets) {
      this.#groups = Math.max(this.#groups, socket.group + 1)
      this.all.push(socket)
      this.#closers.push(() => closeSync(socket.fd))
    }
    return sockets.map(({ address, family, port }) => ({ address, family, port }))
  }

  /** For each address the numbers of its sockets. */
  get groups(): number[][] {
    return Array.from({ length: this.#groups }, (_, group) =>
      this.all.flatMap((socket, number) => (socket.group === group ? [number] : [])),
    ).filter((group) => group.length > 0)
  }

  has(fd: number): boolean {
    return this.all.some((socket) => socket.fd === fd)
  }

  /** Lets go of all of them. Their queues are lost unless another process holds them too. */
  close(): void {
    for (const close of this.#closers.splice(0)) close()
    this.all.length = 0
  }

  #open(spec: ListenSpec, group: number): void {
    const { perAddress, native } = this.#options
    // A path has one socket, and so has a vsock, which all processes share.
    const isShared = spec.path !== undefined || spec.cid !== undefined
    if (native) this.#openNative(spec, group, isShared ? 1 : perAddress)
    else if (spec.datagrams) this.#openDatagrams(spec, group)
    else this.#openPortable(spec, group)
  }

  #openNative(spec: ListenSpec, group: number, perAddress: number): void {
    const first = openListener({ ...spec, reusePort: false })
    if (perAddress === 1) {
      this.#hold(first, group, spec)
      return
    }
    // The first one, which shares its port with nobody, was to see that the port is free: of those that follow
    // another server of the same user could have as many, and nobody would be told.
    closeSync(first.fd)
    for (let i = 0; i < perAddress; i++)
      this.#hold(openListener(this.#nth(i, { ...spec, port: first.port })), group, spec)
  }

  #nth(i: number, spec: ListenSpec): OpenSpec {
    const { socket } = spec
    if (!this.#options.incomingCpu || socket === undefined) return { ...spec, reusePort: true }
    return { ...spec, reusePort: true, socket: { ...socket, incomingCpu: i % cpus().length } }
  }

  #openPortable(spec: ListenSpec, group: number): void {
    const handle = boundHandle(spec)
    const { address, port } = handle.name
    const family = net.isIPv6(address) ? 'IPv6' : 'IPv4'
    const where: Address =
      spec.path === undefined
        ? { address, family, port }
        : { address: spec.path, family: 'unix', port: 0 }
    this.all.push({ ...where, fd: handle.fd, group, backlog: spec.backlog })
    this.#closers.push(handle.close)
  }

  #openDatagrams(spec: ListenSpec, group: number): void {
    const socket = UdpSocket.open(spec)
    this.all.push({ ...socket.address, fd: socket.fd, group, backlog: spec.backlog })
    this.#closers.push(() => void socket.close())
  }

  #hold(socket: Address & { fd: number }, group: number, { backlog }: ListenSpec): void {
    const { address, family, port, fd } = socket
    this.all.push({ address, family, port, fd, group, backlog })
    this.#closers.push(() => closeSync(fd))
  }
}

/**
 * Listening descriptors of the service manager as a supervisor holds them.
 * @throws GaidarosError ERR_GAIDAROS_LISTEN without the addon, which alone can say what they are
 */
export function activatedSockets(descriptors: readonly number[], backlog: number): HeldSocket[] {
  return descriptors.map((fd, group) => {
    if (native === undefined)
      throw new GaidarosError(
        'ERR_GAIDAROS_LISTEN',
        `LISTEN_FDS: descriptor ${fd} cannot be handed to server processes without the native addon; wanted server_type "", or the addon`,
      )
    return { ...native.describeSocket(fd).address, fd, group, backlog, activated: true }
  })
}

export const isFor = (
  socket: HeldSocket,
  { address, path, port }: Pick<ListenSpec, 'address' | 'path' | 'port'>,
): boolean =>
  path === undefined
    ? socket.address === address && (port === 0 || socket.port === port)
    : socket.family === 'unix' && socket.address === path

/** A handle of libuv as node:net makes it for node:cluster: bound, with a descriptor, and accepting nothing. */
interface Handle {
  readonly fd: number
  /** Not of a path: it says at once what is wrong. */
  getsockname?(name: object): number
  close(): void
}
type CreateHandle = (
  address: string,
  port: number,
  type: 4 | 6 | -1,
  fd: undefined,
  flags: number,
) => Handle | number
const UV_TCP_IPV6ONLY = 1

function boundHandle(spec: ListenSpec): {
  fd: number
  name: { address: string; port: number }
  close: () => void
} {
  const { _createServerHandle: create } = net as unknown as { _createServerHandle: CreateHandle }
  const type = net.isIPv6(spec.address) ? 6 : 4
  const handle =
    spec.path === undefined
      ? create(
          spec.address,
          spec.port,
          type,
          undefined,
          spec.v6only && type === 6 ? UV_TCP_IPV6ONLY : 0,
        )
      : createAside(spec.path, spec.backlog, create)
  if (typeof handle === 'number') throw bindFailure(spec, handle)
  const name = { address: '', port: 0 }
  // What bind() said of a port in use comes with this call only.
  const refused = spec.path === undefined ? (handle.getsockname?.(name) ?? 0) : 0
  if (refused === 0) return { fd: handle.fd, name, close: () => handle.close() }
  handle.close()
  throw bindFailure(spec, refused)
}

/** It listens before it has its name: who asks whether somebody lives there would otherwise take it for a stale one. */
function createAside(path: string, backlog: number, create: CreateHandle): Handle | number {
  if (path.startsWith('@')) return create(`\0${path.slice(1)}`, -1, -1, undefined, 0)
  const aside = new Aside(path)
  try {
    const handle = create(aside.name, -1, -1, undefined, 0)
    if (typeof handle === 'number') return handle
    listenElsewhere(handle.fd, backlog)
    aside.place(false)
    return handle
  } finally {
    aside.end()
  }
}

/**
 * Calls listen(2), which Node has only for a process that goes on to accept. One that ends before it does so leaves
 * the socket, which this process holds as well, listening.
 */
function listenElsewhere(fd: number, backlog: number): void {
  const program = `require('node:net').createServer().listen({ fd: 3, backlog: ${backlog} }, process.exit)`
  const { status, error } = spawnSync(process.execPath, ['-e', program], {
    stdio: ['ignore', 'ignore', 'inherit', fd],
    env: {},
  })
  if (status !== 0)
    throw error ?? new Error(`the process that was to call listen() ended with status ${status}`)
}

function bindFailure(spec: ListenSpec, errno: number): Error {
  const code = getSystemErrorName(errno)
  const error = Object.assign(new Error(`bind: ${code}`), { errno, code, syscall: 'bind' })
  return listenFailure(spec, error)
}
