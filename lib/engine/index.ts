// Chooses the engine: native where the addon can be loaded, portable elsewhere. Called by the server.

import { existsSync } from 'node:fs'
import { GaidarosError } from '../errors.js'
import type { Engine, EngineHost, EngineOptions } from './engine.js'
import { createPortableEngine } from './portable/index.js'
import { portableWarnings } from './portable/warnings.js'

/** What lib/engine/native.ts exports. */
interface NativeModule {
  createNativeEngine(options: EngineOptions, host: EngineHost): Engine
  /** What this machine permits; `reason` says why something is not to be had. */
  probe(): NativeProbe
}

export interface NativeProbe {
  /** The addon is loaded. */
  available: boolean
  reason?: string
  completion?: { available: boolean; reason?: string }
  /** Sends through a ring, under epoll. */
  sendBatching?: { available: boolean; reason?: string }
}

/** What the native engine finds on this machine, for --probe; not available where there is no addon. */
export async function nativeProbe(): Promise<NativeProbe> {
  const { module, reason } = await loadNative()
  return module?.probe() ?? { available: false, reason }
}

/** Where one warning for the operator goes. */
export type Warn = (text: string) => void

/**
 * Makes the engine.
 * @param wanted auto: native where it can be had. GAIDAROS_NATIVE=off leaves the addon alone, =require
 * makes its absence an error.
 * @throws GaidarosError ERR_GAIDAROS_ENGINE with the probe's reason when `wanted`, or the polling type, cannot be had
 */
export async function createEngine(
  wanted: 'auto' | 'native' | 'portable',
  options: EngineOptions,
  host: EngineHost,
  warn: Warn,
): Promise<Engine> {
  if (wanted !== 'portable') {
    const { module, reason } = await loadNative()
    if (module !== undefined) return makeNative(module, options, host)
    if (wanted === 'native' || process.env['GAIDAROS_NATIVE'] === 'require')
      throw refused(`the native engine cannot be had: ${reason}`)
    return makePortable(options, host, warn, `the native engine cannot be had: ${reason}; `)
  }
  return makePortable(options, host, warn, '')
}

const NATIVE = new URL('./native.js', import.meta.url)

async function loadNative(): Promise<{ module?: NativeModule; reason: string }> {
  if (process.env['GAIDAROS_NATIVE'] === 'off') return { reason: 'GAIDAROS_NATIVE is off' }
  const missing = 'this version has no addon for this platform'
  if (!existsSync(NATIVE) && !existsSync(new URL('./native.ts', import.meta.url)))
    return { reason: missing }
  const module = (await import(NATIVE.href)) as NativeModule
  const { available, reason } = module.probe()
  return available ? { module, reason: '' } : { reason: reason ?? missing }
}

function makeNative(module: NativeModule, options: EngineOptions, host: EngineHost): Engine {
  const completion = module.probe().completion
  if (options.pollingType === 'completion' && completion?.available === false)
    throw refused(`polling_type completion cannot be had: ${completion.reason ?? 'unknown reason'}`)
  return module.createNativeEngine(options, host)
}

function makePortable(
  options: EngineOptions,
  host: EngineHost,
  warn: Warn,
  because: string,
): Engine {
  if (options.pollingType === 'completion')
    throw refused(`${because}polling_type completion cannot be had from the portable engine`)
  for (const text of portableWarnings(options)) warn(because + text)
  return createPortableEngine(options, host)
}

const refused = (message: string): GaidarosError =>
  new GaidarosError('ERR_GAIDAROS_ENGINE', message)
