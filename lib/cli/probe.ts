// --probe: what this machine permits, and why something is not to be had.

import { release } from 'node:os'
import { COMPRESS_METHODS, type CompressMethod } from '../engine/engine.js'
import {
  codecRefusal,
  type NativeProbe,
  nativeProbe,
  portableMethods,
  probeVsock,
  zeromqRefusal,
} from '../engine/index.js'
import { versionLine } from '../version.js'
import { type Fact, MINIMUM, machineFacts, reaches } from './machine.js'

function feature(name: string, reason: string | undefined): Fact {
  return reason === undefined ? { name, value: 'yes' } : { name, value: 'no', lack: reason }
}

/** What the kernel's age explains is said beside the reason that the kernel gave. */
function aged(reason: string | undefined, minimum: string): string | undefined {
  if (reason === undefined || reaches(release(), minimum)) return reason
  return `${reason}; needs Linux ${minimum} or later`
}

/** @param refusalOf why a method is not to be had; empty: it is */
const methodFacts = (refusalOf: (method: CompressMethod) => string): Fact[] =>
  COMPRESS_METHODS.map((method) => feature(`-z ${method}`, refusalOf(method) || undefined))

/** What the engine has that would serve. */
function engineFacts(probe: NativeProbe): Fact[] {
  if (!probe.available) {
    const reason = `no addon: ${probe.reason ?? 'unknown reason'}`
    const lacks = ['native engine', '-T edge', '-T level', 'batched sends', '-T completion']
    return [
      ...lacks.map((name) => feature(name, reason)),
      feature('TLS', process.versions.openssl === undefined ? 'node has none' : undefined),
      ...methodFacts((method) => portableMethods()[method]),
      feature('-P vsock', reason),
    ]
  }
  const vsock = probeVsock()
  const why = (part: { available: boolean; reason?: string } | undefined) =>
    part?.available === false ? (part.reason ?? 'unknown reason') : undefined
  return [
    feature('native engine', undefined),
    feature('-T edge', undefined),
    feature('-T level', undefined),
    feature('batched sends', aged(why(probe.sendBatching), MINIMUM.batchedSends)),
    feature('-T completion', aged(why(probe.completion), MINIMUM.completion)),
    feature('TLS', why(probe.tls)),
    ...methodFacts(codecRefusal),
    feature('-P vsock', vsock?.refusal || vsock?.unreachable || undefined),
  ]
}

/**
 * The lines of --probe: one a fact, with the reason where something is lacking.
 * @example
 * probeLines().at(-1) // '-T completion  no: io_uring_setup: EPERM'
 */
export function probeLines(): string[] {
  const portable = feature('portable engine', undefined)
  const zmq = feature('-P zmq', zeromqRefusal())
  const facts = [...machineFacts(), ...engineFacts(nativeProbe()), portable, zmq]
  const width = Math.max(...facts.map(({ name }) => name.length)) + 2
  const line = ({ name, value, lack }: Fact) =>
    `${name.padEnd(width)}${value}${lack === undefined ? '' : `: ${lack}`}`
  return [versionLine(), ...facts.map(line)]
}
