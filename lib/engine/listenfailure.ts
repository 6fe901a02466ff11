// What bind() or listen() said, as the error that every engine throws.

import { GaidarosError } from '../errors.js'
import type { ListenSpec } from './engine.js'

/** Names address and port, or the descriptor that was handed over. */
export function listenFailure(
  { address, port, fd }: Pick<ListenSpec, 'address' | 'port' | 'fd'>,
  error: NodeJS.ErrnoException,
): GaidarosError {
  const where = fd === undefined ? `${address} port ${port}` : `descriptor ${fd}`
  const { errno, code, syscall, message } = error
  return new GaidarosError(
    'ERR_GAIDAROS_LISTEN',
    `cannot listen on ${where}: ${message}`,
    {
      ...(errno !== undefined && { errno }),
      ...(code !== undefined && { errnoCode: code }),
      ...(syscall !== undefined && { syscall }),
      address,
      port,
    },
    error,
  )
}
