// Listening sockets that are open before any engine is made: bound by the addon while the process may bind them, or
// inherited. A ring keeps its creator's credentials (pitfall 34), so the engine comes after privileges are dropped.

import { closeSync } from 'node:fs'
import type { Address, ListenSpec, SocketOptions } from '../engine/engine.js'
import { listenFailure } from '../engine/listenfailure.js'
import { native } from '../native.js'
import type { SocketFile } from '../process/socketfile.js'
import {
  type BindOptions,
  bindPath,
  bindTargets,
  isLocal,
  isTaken,
  resolveTargets,
  TRIES,
} from './binding.js'

/** True where sockets can be opened without an engine. Those of ZeroMQ are opened by its library. */
export const canOpenSockets = ({ protocol }: Pick<BindOptions, 'protocol'>): boolean =>
  native !== undefined && protocol !== 'zmq'

/** Sockets that were handed to this process, as an engine takes them. */
export function inheritedSpecs(
  descriptors: readonly number[],
  backlog: number,
  socket: SocketOptions,
): ListenSpec[] {
  return descriptors.map((fd) => {
    const address = native?.describeSocket(fd).address.address ?? ''
    return { fd, address, port: 0, backlog, v6only: false, socket }
  })
}

/**
 * Binds every address that the options ask for, or the path, and listens. Nothing is accepted yet.
 * @returns specs with open descriptors; close them with closeSockets() when no engine takes them
 * @throws GaidarosError ERR_GAIDAROS_LISTEN; nothing is open then
 */
export async function openSockets(options: BindOptions): Promise<Opened> {
  if (isLocal(options)) return openPath(options)
  const targets = await resolveTargets(options)
  for (let tries = 1; ; tries++) {
    const open: ListenSpec[] = []
    try {
      await bindTargets(targets, options, (spec) => openInto(open, spec))
      return { specs: open }
    } catch (error) {
      closeSockets(open)
      const again = options.port === 0 && targets.length > 1 && tries < TRIES && isTaken(error)
      if (!again) throw error
    }
  }
}

export interface Opened {
  specs: ListenSpec[]
  file?: SocketFile | undefined
}

async function openPath(options: BindOptions): Promise<Opened> {
  const open: ListenSpec[] = []
  try {
    const { file } = await bindPath(options, (spec) => openInto(open, spec))
    return { specs: open, file }
  } catch (error) {
    closeSockets(open)
    throw error
  }
}

function openInto(open: ListenSpec[], spec: ListenSpec): Address {
  const { fd, address } = openOne(spec)
  // What was asked of the kernel is done: an engine that has fewer rights by then must not ask again.
  const { socket: _, ...rest } = spec
  open.push({ ...rest, fd, port: address.port })
  return address
}

function openOne(spec: ListenSpec) {
  if (native === undefined) throw new Error('sockets cannot be opened without the addon')
  try {
    return native.openListener(spec)
  } catch (error) {
    throw listenFailure(spec, error)
  }
}

/** Closes what openSockets() opened. */
export function closeSockets(specs: readonly ListenSpec[]): void {
  for (const { fd } of specs) if (fd !== undefined) closeSync(fd)
}
