// The package zeromq, an optional peer: found when it is asked for, and what it lacks is said in one line.

import { createRequire } from 'node:module'

/** A ROUTER socket, as far as it is used here. */
export interface Router {
  linger: number
  readonly lastEndpoint: string | null
  bind(address: string): Promise<void>
  /** Rejects with EAGAIN once it is closed. */
  receive(): Promise<Buffer[]>
  /** With sendTimeout 0 all is done when it returns. */
  send(frames: readonly Uint8Array[]): Promise<void>
  close(): void
}

export interface Zeromq {
  /** Of libzmq. */
  readonly version: string
  readonly Router: new (options: Readonly<Record<string, unknown>>) => Router
}

let found: Zeromq | string | undefined

/** @returns the package; a text says why it cannot be had */
export function zeromq(): Zeromq | string {
  found ??= load()
  return found
}

/** Why messages of ZeroMQ cannot be had; undefined where they can. */
export function zeromqRefusal(): string | undefined {
  const loaded = zeromq()
  return typeof loaded === 'string' ? loaded : undefined
}

/** The library, for descriptions. */
export function zeromqName(): string {
  const loaded = zeromq()
  return typeof loaded === 'string' ? 'zeromq' : `zeromq, libzmq ${loaded.version}`
}

function load(): Zeromq | string {
  try {
    const loaded = createRequire(import.meta.url)('zeromq') as Partial<Zeromq>
    return isUsable(loaded)
      ? loaded
      : 'the package zeromq is not of version 6; wanted npm install zeromq'
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'MODULE_NOT_FOUND' && /'zeromq'/.test(message))
      return 'the package zeromq is not installed; wanted npm install zeromq'
    return `the package zeromq cannot be loaded: ${message.split('\n')[0]}`
  }
}

const isUsable = (loaded: Partial<Zeromq>): loaded is Zeromq =>
  typeof (loaded.Router as { prototype?: Partial<Router> } | undefined)?.prototype?.receive ===
  'function'
