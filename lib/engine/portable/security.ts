// TLS over node:tls: contexts of certificates, and sockets that speak it. What node:tls does not tell (whether the
// peer's FIN came with close_notify) or have (a number of tickets, keys of the hour before) is missing.

import { constants, createHash, createHmac, X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import type { TlsFacts, TlsOptions } from '../engine.js'

const HOUR_MS = 3_600_000
/** Seconds that a session may be resumed for. */
const LIFETIME = 3600

/** What node:tls does not document: how a certificate was found. */
interface Verdict {
  ssl: { verifyError(): Error | null | undefined; isSessionReused(): boolean }
}

interface Identity {
  certificate: X509Certificate
  context: SecureContext
}

export class Security {
  #options: TlsOptions
  #identities: Identity[] = []
  #hour = 0

  constructor(options: TlsOptions) {
    this.#options = options
    this.#turn()
  }

  get implicit(): boolean {
    return this.#options.implicit
  }

  /** For connections from now on. */
  set(options: TlsOptions): void {
    this.#options = { ...options, implicit: this.#options.implicit }
    this.#hour = 0
    this.#turn()
  }

  /** A socket that speaks TLS over `raw`, whose bytes are its own from now on. It says 'secure' after the handshake. */
  over(raw: Socket): TLSSocket {
    this.#turn()
    const { clients, alpn } = this.#options
    const identities = this.#identities
    return new TLSSocket(raw, {
      isServer: true,
      secureContext: identities[0]?.context,
      requestCert: clients !== 'none',
      rejectUnauthorized: clients === 'required',
      ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
      SNICallback: (name, done) => done(null, choose(identities, name)),
    })
  }

  /** Why the handshake that is over is not good enough; undefined: it is. */
  refusal(socket: TLSSocket): string | undefined {
    if (this.#options.clients !== 'required') return undefined
    return (socket as unknown as Verdict).ssl.verifyError()?.message
  }

  /** The keys of tickets are of the hour. */
  #turn(): void {
    const hour = Math.floor(Date.now() / HOUR_MS)
    if (hour === this.#hour) return
    this.#hour = hour
    this.#identities = this.#options.certificates.map((each) => ({
      certificate: new X509Certificate(each.chain),
      context: createSecureContext({ ...this.#common(hour), cert: each.chain, key: each.key }),
    }))
  }

  #common(hour: number) {
    const { ca, clients, ciphers, only13, tickets, ticketSecret } = this.#options
    return {
      ...(clients !== 'none' && { ca }),
      ciphers,
      minVersion: only13 ? ('TLSv1.3' as const) : ('TLSv1.2' as const),
      secureOptions:
        constants.SSL_OP_NO_COMPRESSION |
        SSL_OP_NO_RENEGOTIATION |
        (tickets === 0 ? constants.SSL_OP_NO_TICKET : 0),
      sessionTimeout: LIFETIME,
      // A session is resumed under the rules for clients that it was made under, and no others.
      sessionIdContext: createHash('sha256')
        .update(clients + ca)
        .digest('hex')
        .slice(0, 32),
      ticketKeys: createHmac('sha512', ticketSecret)
        .update(`portable ${hour}`)
        .digest()
        .subarray(0, 48),
    }
  }
}

/** ssl.h; node:crypto does not name it. */
const SSL_OP_NO_RENEGOTIATION = 2 ** 30

const choose = (identities: readonly Identity[], name: string): SecureContext | undefined =>
  (identities.find(({ certificate }) => certificate.checkHost(name) !== undefined) ?? identities[0])
    ?.context

/** What was agreed on. */
export function factsOf(socket: TLSSocket): TlsFacts {
  const { ssl } = socket as unknown as Verdict
  const certificate = socket.getPeerX509Certificate()?.raw
  const refusal = certificate && ssl.verifyError()?.message
  const { alpnProtocol } = socket
  const { servername } = socket as unknown as { servername?: string | false }
  return {
    protocol: socket.getProtocol() ?? '',
    cipher: socket.getCipher().name,
    resumed: ssl.isSessionReused(),
    ...(alpnProtocol && { alpn: alpnProtocol }),
    ...(servername && { serverName: servername }),
    ...(certificate && { certificate }),
    ...(refusal && { refusal }),
  }
}

/** `…:SSL routines:ssl3_get_record:http request:…` and the like: OpenSSL's own words. */
export function faultOf(error: Error & { reason?: string }): string {
  return error.reason ?? error.message
}

/** Whether it is TLS that failed, and not the socket. */
export const isOfTls = ({ code, library }: NodeJS.ErrnoException & { library?: string }): boolean =>
  library === 'SSL routines' || /^ERR_(?:SSL|TLS)_/.test(code ?? '')
