// An address and a port as one text, for logs and banners.

import type { Address } from './engine.js'

/**
 * Address and port as in a URL.
 * @example
 * endpoint({ address: '::1', family: 'IPv6', port: 80 }) // '[::1]:80'
 * endpoint({ address: '/run/echo.sock', family: 'unix', port: 0 }) // 'unix:/run/echo.sock'
 * endpoint({ address: '3', family: 'vsock', port: 5000 }) // 'vsock:3:5000'
 * endpoint({ address: '006b8b4567', family: 'zmq', port: 0 }) // 'zmq:006b8b4567'
 */
export function endpoint({ address, family, port }: Address): string {
  if (family === 'zmq') return `zmq:${address}`
  if (family === 'unix') return `unix:${address}`
  if (family === 'vsock') return `vsock:${address}:${port}`
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}
