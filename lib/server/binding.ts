// From host and ip_version to listening sockets: which addresses a name stands for, and one port for
// all of them. When one cannot be bound nothing stays bound: the caller closes the engine.

import { lookup } from 'node:dns/promises'
import { closeSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import type { Address, ListenSpec } from '../engine/engine.js'
import { GaidarosError } from '../errors.js'
import { cidOf, cidText } from '../options/cid.js'
import type { Settings } from '../options/settings.js'
import { futureOwner } from '../process/privileges.js'
import { type Access, SocketFile, socketGroup } from '../process/socketfile.js'
import { hasMessages, isDatagram } from './engineoptions.js'
import { type SocketSettings, socketOptions } from './socketoptions.js'

export type BindOptions = SocketSettings &
  Pick<
    Settings,
    | 'host'
    | 'port'
    | 'ipVersion'
    | 'backlog'
    | 'protocol'
    | 'socketPath'
    | 'socketMode'
    | 'socketGroup'
    | 'vsockCid'
    | 'user'
    | 'group'
    | 'chroot'
  >

/** Where to listen. `optional`: skipped when this machine does not have the address; `cid`: a vsock's. */
export interface Target {
  address: string
  cid?: number
  v6only: boolean
  optional: boolean
}

export interface Bound {
  addresses: Address[]
  /** The name of a unix socket in the file system, to be removed when the server ends. */
  file?: SocketFile
}

/** Port 0 for two addresses: the first one's port may be taken on the second; so often another is tried. */
export const TRIES = 5

/** Who listens: an engine, or a supervisor's sockets. */
export interface Listener {
  listen(spec: ListenSpec): Address | Promise<Address>
  close(graceMs: number): Promise<void> | void
}

/**
 * Binds every address that the options ask for.
 * @param make called again when a port was taken meanwhile
 * @throws GaidarosError ERR_GAIDAROS_LISTEN; nothing stays bound then
 */
export async function bind<L extends Listener>(
  make: () => L,
  options: BindOptions,
): Promise<Bound & { listener: L }> {
  if (isLocal(options)) return bindOnce(make, options)
  const targets = await resolveTargets(options)
  for (let tries = 1; ; tries++) {
    const listener = make()
    try {
      return {
        listener,
        addresses: await bindTargets(targets, options, (spec) => listener.listen(spec)),
      }
    } catch (error) {
      await listener.close(0)
      const again = options.port === 0 && targets.length > 1 && tries < TRIES && isTaken(error)
      if (!again) throw error
    }
  }
}

async function bindOnce<L extends Listener>(
  make: () => L,
  options: BindOptions,
): Promise<Bound & { listener: L }> {
  const listener = make()
  try {
    return { listener, ...(await bindPath(options, (spec) => listener.listen(spec))) }
  } catch (error) {
    await listener.close(0)
    throw error
  }
}

/** Whether a path is listened on, and no address. */
export const isLocal = ({
  protocol,
  socketPath,
}: Pick<BindOptions, 'protocol' | 'socketPath'>): boolean =>
  protocol.startsWith('unix') || (protocol === 'zmq' && socketPath !== '')

/** What listens on the path of the options. */
export function pathSpec(options: BindOptions): ListenSpec & { path: string } {
  const { socketPath, backlog } = options
  const path = socketPath.startsWith('@') ? socketPath : resolve(socketPath)
  const kind = { datagrams: isDatagram(options), messages: hasMessages(options) }
  const socket = socketOptions(options)
  return { path, address: '', port: 0, v6only: false, backlog, ...kind, socket }
}

/**
 * Listens on the path of the options by `listen`. A path that a dead server has left is replaced.
 * @throws GaidarosError ERR_GAIDAROS_LISTEN; nothing is left in the file system then
 */
export async function bindPath(
  options: BindOptions,
  listen: (spec: ListenSpec) => Address | Promise<Address>,
): Promise<Bound> {
  const spec = pathSpec(options)
  if (spec.path.startsWith('@')) return { addresses: [await listen(spec)] }
  const { file, result } = await SocketFile.bind(spec.path, accessOf(options), () => listen(spec))
  return { addresses: [result], file }
}

/** The file is the user's whom the server becomes, so that it can be removed, and of socket_group. */
function accessOf(options: BindOptions): Access {
  const { socketMode, socketGroup: group } = options
  const owner = futureOwner(options)
  return { mode: socketMode, uid: owner?.uid, gid: group === '' ? owner?.gid : socketGroup(group) }
}

/**
 * Gives sockets that are open already to whoever listens.
 * @throws GaidarosError ERR_GAIDAROS_LISTEN; it and the sockets that it has not taken are closed then
 */
export async function adopt<L extends Listener>(
  make: () => L,
  specs: readonly ListenSpec[],
): Promise<Bound & { listener: L }> {
  const listener = make()
  const addresses: Address[] = []
  try {
    for (const spec of specs) addresses.push(await listener.listen(spec))
    return { listener, addresses }
  } catch (error) {
    await listener.close(0)
    for (const { fd } of specs.slice(addresses.length + 1)) if (fd !== undefined) closeSync(fd)
    throw error
  }
}

/** Listens on each target by `listen`, all on one port; targets that this machine lacks are skipped where they may be. */
export async function bindTargets(
  targets: readonly Target[],
  options: BindOptions,
  listen: (spec: ListenSpec) => Address | Promise<Address>,
): Promise<Address[]> {
  const addresses: Address[] = []
  for (const target of targets) {
    const { optional, ...where } = target
    const port = addresses[0]?.port ?? options.port
    const { backlog } = options
    const datagrams = isDatagram(options)
    const spec = { ...where, port, backlog, datagrams, socket: socketOptions(options) }
    try {
      addresses.push(await listen(spec))
    } catch (error) {
      if (!optional || !isAbsent(error)) throw error
    }
  }
  if (addresses.length > 0) return addresses
  throw new GaidarosError(
    'ERR_GAIDAROS_LISTEN',
    `host: ${options.host}: this machine has none of its addresses`,
  )
}

const codeOf = (error: unknown): unknown => (error as { errnoCode?: unknown }).errnoCode
/** The error says that the port is in use. */
export const isTaken = (error: unknown): boolean => codeOf(error) === 'EADDRINUSE'
/** No such family, or no such address on any interface. */
const isAbsent = (error: unknown): boolean =>
  ['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EPROTONOSUPPORT', 'ENETUNREACH'].includes(
    String(codeOf(error)),
  )

/** The addresses that a host stands for, or the vsock. @throws GaidarosError ERR_GAIDAROS_LISTEN when its name cannot be resolved */
export async function resolveTargets({
  host,
  ipVersion,
  protocol,
  vsockCid,
}: Pick<BindOptions, 'host' | 'ipVersion' | 'protocol' | 'vsockCid'>): Promise<Target[]> {
  const cid = protocol === 'vsock' ? cidOf(vsockCid) : undefined
  if (cid !== undefined) return [{ address: cidText(cid), cid, v6only: false, optional: false }]
  if (host === 'localhost')
    return wanted(ipVersion, [
      { address: '127.0.0.1', v6only: true, optional: ipVersion === 0 },
      { address: '::1', v6only: true, optional: ipVersion === 0 },
    ])
  if (isIP(host) !== 0)
    return [{ address: host, v6only: host !== '::' || ipVersion === 6, optional: false }]
  const found = await lookupAll(host, ipVersion)
  return found.map((address) => ({ address, v6only: true, optional: false }))
}

const wanted = (version: number, targets: Target[]): Target[] =>
  targets.filter(({ address }) => version === 0 || isIP(address) === version)

async function lookupAll(host: string, ipVersion: number): Promise<string[]> {
  try {
    const found = await lookup(host, { all: true, family: ipVersion })
    return [...new Set(found.map(({ address }) => address))]
  } catch (error) {
    const { code, errno, syscall } = error as NodeJS.ErrnoException
    throw new GaidarosError(
      'ERR_GAIDAROS_LISTEN',
      `host: ${host} cannot be resolved (${code ?? 'unknown error'}); wanted an address, localhost or a name that DNS knows`,
      {
        address: host,
        ...(errno !== undefined && { errno }),
        ...(code !== undefined && { errnoCode: code }),
        ...(syscall !== undefined && { syscall }),
      },
      error,
    )
  }
}
