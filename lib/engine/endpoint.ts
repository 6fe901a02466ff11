// An address and a port as one text, for logs and banners.

import type { Address } from './engine.js'

/** Address and port as in a URL. @example endpoint({ address: '::1', family: 'IPv6', port: 80 }) // '[::1]:80' */
export function endpoint({ address, family, port }: Address): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}
