// What is said when a socket cannot listen: the same, whoever opens it.

import { GaidarosError } from '../errors.js'
import type { ListenSpec } from './engine.js'

/** GaidarosError ERR_GAIDAROS_LISTEN of what socket(), bind() or listen() answered. */
export function listenFailure(spec: ListenSpec, error: unknown): GaidarosError {
  const where =
    spec.fd === undefined ? `${spec.address} port ${spec.port}` : `descriptor ${spec.fd}`
  const { errno, code, syscall, message } = error as NodeJS.ErrnoException
  return new GaidarosError(
    'ERR_GAIDAROS_LISTEN',
    `cannot listen on ${where}: ${message}`,
    {
      address: spec.address,
      port: spec.port,
      ...(errno !== undefined && { errno }),
      ...(code !== undefined && { errnoCode: code }),
      ...(syscall !== undefined && { syscall }),
    },
    error,
  )
}
