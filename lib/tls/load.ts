// From the options of TLS to what an engine is given: the files are read and everything in them is checked, so that
// whatever can be wrong is said before anything is bound, and before a reload changes anything.

import { randomBytes, type X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { TlsOptions } from '../engine/engine.js'
import { GaidarosError } from '../errors.js'
import type { Settings } from '../options/settings.js'
import { BadFile, readCertificates, readKey } from './files.js'

/** TLS 1.2 with forward secrecy and authenticated encryption: no CBC, no static RSA (RFC 9325). TLS 1.3 has no others. */
export const CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

export type TlsSettings = Pick<
  Settings,
  | 'tlsCert'
  | 'tlsKey'
  | 'tlsCa'
  | 'tlsVerify'
  | 'tlsMinVersion'
  | 'tlsCiphers'
  | 'tlsAlpn'
  | 'tlsTickets'
  | 'tlsMode'
>

/** A secret that the keys of session tickets are derived from. */
export const ticketSecret = (): Uint8Array => randomBytes(32)

/** Whether TLS is spoken. */
export const hasTls = ({ tlsCert }: Pick<Settings, 'tlsCert'>): boolean => tlsCert.length > 0

/**
 * Reads and checks.
 * @param secret of those who take each other's tickets
 * @param warn told of what works, but not as somebody may have meant it
 * @returns undefined: TLS is not asked for
 * @throws GaidarosError ERR_GAIDAROS_TLS: a line for each thing that is wrong
 */
export function loadTls(
  settings: TlsSettings,
  secret: Uint8Array,
  warn: (text: string) => void,
): TlsOptions | undefined {
  if (!hasTls(settings)) return undefined
  const problems: string[] = []
  const attempt = <T>(name: string, path: string, read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof BadFile)) throw error
      problems.push(`${name}: ${path} ${error.message}`)
      return undefined
    }
  }
  const { tlsCert, tlsKey, tlsCa } = settings
  const certificates = tlsCert.map((path, i) => {
    const keyPath = tlsKey[i] ?? ''
    const chain = attempt('tls_cert', path, () => readCertificates(path))
    const key = attempt('tls_key', keyPath, () => readKey(keyPath))
    if (chain !== undefined)
      for (const text of doubts(chain.list)) warn(`tls_cert: ${path} ${text}`)
    if (chain !== undefined && key !== undefined && !chain.list[0]?.checkPrivateKey(key.key))
      problems.push(`tls_key: ${keyPath} is not the key of the first certificate in ${path}`)
    return { chain: chain?.pem ?? '', key: key?.pem ?? '' }
  })
  const ca = tlsCa === '' ? undefined : attempt('tls_ca', tlsCa, () => readCertificates(tlsCa))
  const options = optionsOf(settings, secret, { certificates, ca: ca?.pem ?? '' })
  if (problems.length === 0) problems.push(...refusals(settings, options))
  if (problems.length > 0) throw new GaidarosError('ERR_GAIDAROS_TLS', problems.join('\n'))
  return options
}

function optionsOf(
  { tlsMode, tlsVerify, tlsMinVersion, tlsCiphers, tlsAlpn, tlsTickets }: TlsSettings,
  secret: Uint8Array,
  files: Pick<TlsOptions, 'certificates' | 'ca'>,
): TlsOptions {
  return {
    ...files,
    implicit: tlsMode === 'implicit',
    clients: tlsVerify,
    only13: tlsMinVersion === '1.3',
    ciphers: tlsCiphers || CIPHERS,
    alpn: tlsAlpn,
    tickets: tlsTickets,
    ticketSecret: secret,
  }
}

/** What may well be a mistake. */
function doubts(list: readonly X509Certificate[], now = Date.now()): string[] {
  const [own] = list
  if (own === undefined) return []
  const texts: string[] = []
  if (Date.parse(own.validTo) < now) texts.push(`has expired: it was valid until ${own.validTo}`)
  if (Date.parse(own.validFrom) > now) texts.push(`is not valid before ${own.validFrom}`)
  const odd = list.findIndex((each, i) => i > 0 && !list[i - 1]?.checkIssued(each))
  if (odd > 0)
    texts.push(`is out of order: certificate ${odd + 1} has not issued the one before it`)
  return texts
}

/** What OpenSSL has against it: a key that is too short, ciphers that it does not know. */
function refusals(settings: TlsSettings, { certificates, ciphers }: TlsOptions): string[] {
  const attempt = (options: object): string | undefined => {
    try {
      createSecureContext({ minVersion: 'TLSv1.2', ...options })
      return undefined
    } catch (error) {
      return reasonOf(error as Error)
    }
  }
  const bad = attempt({ ciphers })
  if (bad !== undefined) return [`tls_ciphers: ${ciphers} is refused by OpenSSL (${bad})`]
  return certificates.flatMap(({ chain, key }, i) => {
    const why = attempt({ cert: chain, key })
    return why === undefined
      ? []
      : [`tls_cert: ${settings.tlsCert[i]} is refused by OpenSSL (${why})`]
  })
}

/** `error:0A00018F:SSL routines::ee key too small` without what says where. */
const reasonOf = ({ message }: Error): string => message.split('::').at(-1) ?? message
