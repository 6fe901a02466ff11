// Chooses the engine: native where the addon can be loaded, portable elsewhere. Called by the server.

import { GaidarosError } from '../errors.js'
import type { Engine, EngineHost, EngineOptions } from './engine.js'
import { createNativeEngine, probe } from './native.js'
import { createPortableEngine } from './portable/index.js'
import { portableWarnings } from './portable/warnings.js'

export { type NativeProbe, probe as nativeProbe } from './native.js'

/** Where one warning for the operator goes. */
export type Warn = (text: string) => void

/**
 * Makes the engine.
 * @param wanted auto: native where it can be had. GAIDAROS_NATIVE=off leaves the addon alone, =require
 * makes its absence an error.
 * @throws GaidarosError ERR_GAIDAROS_ENGINE with the probe's reason when `wanted`, or the polling type, cannot be had
 */
export function createEngine(
  wanted: 'auto' | 'native' | 'portable',
  options: EngineOptions,
  host: EngineHost,
  warn: Warn,
): Engine {
  if (wanted === 'portable') return makePortable(options, host, warn, '')
  const missing = whyNoNative()
  if (missing === undefined) return makeNative(options, host)
  if (wanted === 'native' || process.env['GAIDAROS_NATIVE'] === 'require')
    throw refused(`the native engine cannot be had: ${missing}`)
  return makePortable(options, host, warn, `the native engine cannot be had: ${missing}; `)
}

function whyNoNative(): string | undefined {
  if (process.env['GAIDAROS_NATIVE'] === 'off') return 'GAIDAROS_NATIVE is off'
  const { available, reason } = probe()
  return available ? undefined : (reason ?? 'unknown reason')
}

function makeNative(options: EngineOptions, host: EngineHost): Engine {
  const { completion } = probe()
  if (options.pollingType === 'completion' && completion?.available === false)
    throw refused(`polling_type completion cannot be had: ${completion.reason ?? 'unknown reason'}`)
  return createNativeEngine(options, host)
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
