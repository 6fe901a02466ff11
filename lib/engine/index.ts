// Chooses the engine: native where the addon can be loaded, portable elsewhere. Called by the server.

import { GaidarosError } from '../errors.js'
import type { CompressMethod, Engine, EngineHost, EngineOptions, ServingEngine } from './engine.js'
import { codecRefusal, createNativeEngine, probe, probeVsock } from './native.js'
import { portableMethods } from './portable/compress/methods.js'
import {
  createPortableEngine,
  portableRefusal,
  portableWarnings,
  type Wishes,
} from './portable/index.js'

export { codecRefusal, type NativeProbe, probe as nativeProbe, probeVsock } from './native.js'
export { portableMethods } from './portable/compress/methods.js'
export { type Wishes, zeromqRefusal } from './portable/index.js'

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
): ServingEngine {
  // libzmq has a loop of its own, which hands its messages to Node's.
  const engine = options.zmq === undefined ? wanted : 'portable'
  const { name, because } = chooseEngine(engine, options.pollingType, options.compress.method)
  if (name === 'native') {
    if (options.vsock) for (const text of vsockNotes()) warn(text)
    return createNativeEngine(options, host)
  }
  for (const text of portableNotes(options)) warn(because + text)
  return createPortableEngine(options, host)
}

/**
 * What the portable engine does not do of these options, for the log.
 * @throws GaidarosError ERR_GAIDAROS_ENGINE when it cannot serve them at all
 */
export function portableNotes(options: Wishes): string[] {
  const refusal = portableRefusal(options)
  if (refusal !== undefined) throw refused(refusal)
  return portableWarnings(options)
}

/**
 * What speaks against vsock on this machine, for the log.
 * @throws GaidarosError ERR_GAIDAROS_ENGINE when its kernel does not have it
 */
export function vsockNotes(): string[] {
  const { refusal = '', unreachable = '' } = probeVsock() ?? {}
  if (refusal !== '') throw refused(`protocol vsock cannot be had: ${refusal}`)
  return unreachable === '' ? [] : [`nobody can connect by vsock: ${unreachable}`]
}

/**
 * The engine that createEngine() would make, and why it is not the native one.
 * @throws GaidarosError ERR_GAIDAROS_ENGINE as createEngine() does
 */
export function chooseEngine(
  wanted: 'auto' | 'native' | 'portable',
  pollingType: EngineOptions['pollingType'],
  method: CompressMethod | 'none',
): { name: Engine['name']; because: string } {
  const missing = wanted === 'portable' ? '' : whyNoNative()
  if (missing === undefined) {
    const { completion } = probe()
    refuseMethod(method, codecRefusal)
    if (pollingType === 'completion' && completion?.available === false)
      throw refused(
        `polling_type completion cannot be had: ${completion.reason ?? 'unknown reason'}`,
      )
    return { name: 'native', because: '' }
  }
  const reason = `the native engine cannot be had: ${missing}`
  if (wanted === 'native' || (wanted === 'auto' && process.env['GAIDAROS_NATIVE'] === 'require'))
    throw refused(reason)
  const because = missing === '' ? '' : `${reason}; `
  if (pollingType === 'completion')
    throw refused(`${because}polling_type completion cannot be had from the portable engine`)
  refuseMethod(method, (each) => portableMethods()[each])
  return { name: 'portable', because }
}

/** @param refusalOf why a method cannot be had, empty where nothing stands in its way */
function refuseMethod(
  method: CompressMethod | 'none',
  refusalOf: (method: CompressMethod) => string,
): void {
  const why = method === 'none' ? '' : refusalOf(method)
  if (why !== '') throw refused(`compress ${method} cannot be had: ${why}`)
}

function whyNoNative(): string | undefined {
  if (process.env['GAIDAROS_NATIVE'] === 'off') return 'GAIDAROS_NATIVE is off'
  const { available, reason } = probe()
  return available ? undefined : (reason ?? 'unknown reason')
}

const refused = (message: string): GaidarosError =>
  new GaidarosError('ERR_GAIDAROS_ENGINE', message)
