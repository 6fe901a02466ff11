// Scheme and authority of the URL of a request: what the client calls the server.

import { isIP } from 'node:net'
import type { ClientConnection } from '../dispatch/connection.js'
import type { HttpRequest } from '../http/request.js'

/** When a connection's scheme is https: 'asked' looks at each, for TLS may begin late. */
export type Secure = 'always' | 'never' | 'asked'

/** Returns the origin of a request: 'http://example.com:8080'. */
export type OriginOf = (request: HttpRequest, connection: ClientConnection) => string

export function originReader(secure: Secure): OriginOf {
  // Clients of one server mostly call it by one name.
  let host: string | undefined
  let isSecure = false
  let origin = ''
  return (request, connection) => {
    const named = request.host
    const https = secure === 'asked' ? connection.tls !== undefined : secure === 'always'
    if (named === host && https === isSecure) return origin
    if (named === undefined || named === '') return schemeOf(https) + localOf(connection)
    host = named
    isSecure = https
    origin = schemeOf(https) + named
    return origin
  }
}

const schemeOf = (isSecure: boolean): string => (isSecure ? 'https://' : 'http://')

/** Of a request without Host field. A unix socket has no name that a URL could have. */
function localOf({ local }: ClientConnection): string {
  const { address, family, port } = local
  if (family === 'IPv6' || isIP(address) === 6) return `[${address.replace(/%.*$/, '')}]:${port}`
  return isIP(address) === 4 ? `${address}:${port}` : 'localhost'
}
