// Listening sockets that are open before any engine is made: bound by the addon while the process may bind them, or
// inherited. A ring keeps its creator's credentials (pitfall 34), so the engine comes after privileges are dropped.

import { closeSync } from 'node:fs'
import type { ListenSpec } from '../engine/engine.js'
import { listenFailure } from '../engine/listenfailure.js'
import { native } from '../native.js'
import { type BindOptions, bindTargets, isTaken, resolveTargets, TRIES } from './binding.js'

/** True where sockets can be opened without an engine. */
export const canOpenSockets = (): boolean => native !== undefined

/** Sockets that were handed to this process, as an engine takes them. */
export function inheritedSpecs(descriptors: readonly number[], backlog: number): ListenSpec[] {
  return descriptors.map((fd) => ({ fd, address: '', port: 0, backlog, v6only: false }))
}

/**
 * Binds every address that the options ask for and listens. Nothing is accepted yet.
 * @returns specs with open descriptors; close them with closeSockets() when no engine takes them
 * @throws GaidarosError ERR_GAIDAROS_LISTEN; nothing is open then
 */
export async function openSockets(options: BindOptions): Promise<ListenSpec[]> {
  const targets = await resolveTargets(options)
  for (let tries = 1; ; tries++) {
    const open: ListenSpec[] = []
    try {
      await bindTargets(targets, options, (spec) => {
        const { fd, address } = openOne(spec)
        open.push({ ...spec, fd, port: address.port })
        return address
      })
      return open
    } catch (error) {
      closeSockets(open)
      const again = options.port === 0 && targets.length > 1 && tries < TRIES && isTaken(error)
      if (!again) throw error
    }
  }
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
