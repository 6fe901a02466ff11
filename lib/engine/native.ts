// The native engine: the addon behind the Engine interface. One crossing a turn; everything else is a
// plain call into the addon.

import { GaidarosError } from '../errors.js'
import { MESSAGE_HEAD } from '../frame/message.js'
import {
  type Addon,
  type NativeCore,
  native,
  nativeError,
  type OpenSpec,
  type VsockProbe,
} from '../native.js'
import type {
  Address,
  CompressMethod,
  ConnectionInfo,
  ConnectionList,
  EngineHost,
  EngineOptions,
  EngineStats,
  Limits,
  ListenSpec,
  ServingEngine,
  TlsOptions,
} from './engine.js'
import { LAYOUT_VERSION, RECORD_WORDS, REPLY_WORDS } from './layout.js'
import { listenFailure } from './listenfailure.js'
import type { EnginePool } from './pool.js'
import { type CloseReason, REASONS } from './reasons.js'

/** What this machine permits; `reason` says why something is not to be had. */
export interface NativeProbe {
  available: boolean
  reason?: string
  completion?: { available: boolean; reason?: string }
  sendBatching?: { available: boolean; reason?: string }
  tls?: { available: boolean; reason?: string }
  glibc?: string
  libuv?: string
}

const NOTHING: readonly Buffer[] = Object.freeze([])

/** Asks the addon and the kernel. Never throws. */
export function probe(): NativeProbe {
  if (native === undefined) return { available: false, reason: firstLine(nativeError) }
  const mismatch = layoutMismatch(native)
  if (mismatch !== undefined) return { available: false, reason: mismatch }
  const { completion, sendBatching, tls, glibc, libuv } = native.probe()
  return {
    available: true,
    completion: verdict(completion),
    sendBatching: verdict(sendBatching),
    tls: verdict(tls),
    glibc,
    libuv,
  }
}

/** Why the addon, which is there, does not have a method of compression; empty where it has. */
export const codecRefusal = (method: CompressMethod): string => native?.codecRefusal(method) ?? ''

/** What this kernel has of vsock; nothing without the addon. */
export const probeVsock = (): VsockProbe | undefined => native?.vsock()

const verdict = (refusal: string) =>
  refusal === '' ? { available: true } : { available: false, reason: refusal }

// `bindings` names every place it looked at when the addon is nowhere.
function firstLine(error: Error | undefined): string {
  const line = error?.message.split('\n')[0] ?? 'it was not loaded'
  return line.startsWith('Could not locate the bindings file') ? 'the addon is not built' : line
}

function layoutMismatch(addon: Addon): string | undefined {
  const { version, recordWords, replyWords, reasons } = addon.layout()
  const same =
    version === LAYOUT_VERSION &&
    recordWords === RECORD_WORDS &&
    replyWords === REPLY_WORDS &&
    reasons.join() === REASONS.join()
  return same
    ? undefined
    : `the addon is of another version (layout ${version}, wanted ${LAYOUT_VERSION}): rebuild it`
}

/**
 * Makes the native engine.
 * @throws GaidarosError ERR_GAIDAROS_ENGINE when the addon or the polling type cannot be had
 */
export function createNativeEngine(options: EngineOptions, host: EngineHost): ServingEngine {
  const { available, reason, tls } = probe()
  if (!available || native === undefined)
    throw new GaidarosError('ERR_GAIDAROS_ENGINE', `the native engine cannot be had: ${reason}`)
  if (options.tls !== undefined && tls?.available === false)
    throw new GaidarosError(
      'ERR_GAIDAROS_ENGINE',
      `TLS cannot be had from the native engine: ${tls.reason}; engine = portable has it of node:tls`,
    )
  return new NativeEngine(native, options, host)
}

/**
 * A listening socket that no engine has: for a process that only holds it, or hands it on.
 * @throws GaidarosError ERR_GAIDAROS_LISTEN
 */
export function openListener(spec: OpenSpec): Address & { fd: number } {
  if (native === undefined) throw new GaidarosError('ERR_GAIDAROS_ENGINE', firstLine(nativeError))
  try {
    const { fd, address } = native.openListener(spec)
    return { ...address, fd }
  } catch (error) {
    throw listenFailure(spec, error)
  }
}

class NativeEngine implements ServingEngine {
  readonly name = 'native'
  readonly isDatagram: boolean
  readonly hasMessages: boolean
  readonly description: string
  readonly records: Uint32Array
  readonly replies: Uint32Array
  readonly out: Buffer
  slab: Buffer = Buffer.alloc(0)
  bigs: readonly Buffer[] = NOTHING
  readonly pool: EnginePool
  readonly #core: NativeCore
  #closing: Promise<void> | undefined

  constructor(addon: Addon, options: EngineOptions, host: EngineHost) {
    this.isDatagram = options.datagrams
    this.hasMessages = options.messages
    try {
      this.#core = new addon.Engine(
        { ...options, limits: this.#limits(options.limits) },
        (count, slab, bigs) => {
          if (slab !== undefined) this.slab = slab
          if (bigs !== undefined) this.bigs = bigs
          const kept = host.turn(count)
          if (bigs !== undefined) this.bigs = NOTHING
          return kept
        },
        options.busyPoll,
        (count, ms) => host.stalled(count, ms),
        (text) => host.warned(text),
      )
    } catch (error) {
      const why = (error as Error).message
      throw new GaidarosError(
        'ERR_GAIDAROS_ENGINE',
        `polling_type ${options.pollingType} cannot be had: ${why}`,
        {},
        error,
      )
    }
    const core = this.#core
    this.pool = {
      open: (spec, noted) => core.openPool(spec, noted),
      attach: (index) => core.attachWorker(index),
      detach: (index) => core.detachWorker(index),
      retire: (index) => core.retireWorker(index),
      state: (index) => core.workerState(index),
      close: () => core.closePool(),
    }
    this.description = core.description
    this.records = new Uint32Array(this.#core.records)
    this.replies = new Uint32Array(this.#core.replies)
    this.out = Buffer.from(this.#core.out)
  }

  listen(spec: ListenSpec): Address {
    try {
      return this.#core.listen(spec)
    } catch (error) {
      throw listenFailure(spec, error)
    }
  }

  start(): void {
    this.#core.start()
  }

  reply(
    slot: number,
    generation: number,
    sequence: number,
    data: Uint8Array | undefined,
    flags: number,
  ): number {
    return this.#core.reply(slot, generation, sequence, data, flags)
  }

  write(slot: number, generation: number, data: Uint8Array): number {
    return this.#core.write(slot, generation, data)
  }

  end(slot: number, generation: number): void {
    this.#core.end(slot, generation)
  }

  close(graceMs: number): Promise<void>
  close(slot: number, generation: number, reason: CloseReason): void
  close(slot: number, generation?: number, reason?: CloseReason): Promise<void> | void {
    if (generation !== undefined && reason !== undefined)
      return this.#core.closeConnection(slot, generation, REASONS.indexOf(reason))
    const { promise, resolve } = withResolvers()
    this.#closing ??= promise
    if (this.#closing === promise) this.#core.close(slot, resolve)
    return this.#closing
  }

  pause(slot: number, generation: number): void {
    this.#core.pause(slot, generation)
  }

  resume(slot: number, generation: number): void {
    this.#core.resume(slot, generation)
  }

  framed(slot: number, generation: number, count: number, partial: boolean): void {
    this.#core.framed(slot, generation, count, partial)
  }

  watch(slot: number, generation: number): void {
    this.#core.watch(slot, generation)
  }

  info(slot: number, generation: number): ConnectionInfo | undefined {
    return this.#core.info(slot, generation)
  }

  stats(): EngineStats {
    return this.#core.stats()
  }

  connections(limit: number): ConnectionList {
    return this.#core.connections(limit)
  }

  setTls(tls: TlsOptions): void {
    this.#core.setTls(tls)
  }

  startTls(slot: number, generation: number, sequence: number | undefined): boolean {
    return this.#core.startTls(slot, generation, sequence)
  }

  setLimits(limits: Limits): void {
    this.#core.setLimits(this.#limits(limits))
  }

  /** Those of a message are of its bytes alone. */
  #limits(limits: Limits): Limits {
    const { maxFrameSize } = limits
    if (!this.hasMessages || maxFrameSize === 0) return limits
    return { ...limits, maxFrameSize: maxFrameSize + MESSAGE_HEAD }
  }

  stopListening(): void {
    this.#core.stopListening()
  }

  watchListener(listener: number): void {
    this.#core.watchListener(listener)
  }

  unwatchListener(listener: number): void {
    this.#core.unwatchListener(listener)
  }

  get accepting(): boolean {
    return this.#core.accepting
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
