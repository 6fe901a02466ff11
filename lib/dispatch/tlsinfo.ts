// What a handler may know of its connection's TLS. The certificate is read when somebody looks at it.

import { X509Certificate } from 'node:crypto'
import type { TlsFacts } from '../engine/engine.js'
import type { PeerCertificate, TlsConnection } from '../handler/contract.js'

export class TlsInfo implements TlsConnection {
  readonly protocol: string
  readonly cipher: string
  readonly resumed: boolean
  readonly alpn: string | undefined
  readonly serverName: string | undefined
  readonly authorized: boolean
  readonly refusal: string | undefined
  readonly #der: Uint8Array | undefined
  #peer: PeerCertificate | undefined

  constructor({ protocol, cipher, resumed, alpn, serverName, certificate, refusal }: TlsFacts) {
    this.protocol = protocol
    this.cipher = cipher
    this.resumed = resumed
    this.alpn = alpn
    this.serverName = serverName
    this.authorized = certificate !== undefined && refusal === undefined
    this.refusal = refusal
    this.#der = certificate
  }

  get peer(): PeerCertificate | undefined {
    if (this.#peer !== undefined || this.#der === undefined) return this.#peer
    const { subject, issuer, fingerprint256, validFrom, validTo } = new X509Certificate(this.#der)
    this.#peer = { subject, issuer, fingerprint256, validFrom, validTo, raw: this.#der }
    return this.#peer
  }
}
