// Certificates for tests, made by openssl when they are first asked for, in a directory that goes with the process.

import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Files of one certificate, and what is in them. */
export interface Identity {
  certFile: string
  keyFile: string
  cert: string
  key: string
}

interface Wish {
  /** What stands in it: /CN=… */
  subject: string
  /** subjectAltName */
  names?: string
  /** Who issues it; itself by default. */
  issuer?: Identity
  isAuthority?: boolean
  /** Of its life; the past where it is over. */
  end?: string
  rsa?: boolean
}

let folder: string | undefined
let serial = 1

/** Where the files lie. */
export function place(): string {
  if (folder !== undefined) return folder
  const made = mkdtempSync(join(tmpdir(), 'gaidaros-tls-'))
  process.on('exit', () => rmSync(made, { recursive: true, force: true }))
  folder = made
  return made
}

const openssl = (...args: string[]): void =>
  void execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 60_000 })

/** A key and a certificate for it. */
export function makeIdentity({ subject, names, issuer, isAuthority, end, rsa }: Wish): Identity {
  const base = join(place(), String(serial++))
  const certFile = `${base}.pem`
  const keyFile = `${base}.key`
  const request = `${base}.csr`
  const curve = ['-pkeyopt', 'ec_paramgen_curve:P-256']
  const kind = rsa ? ['-newkey', 'rsa:2048'] : ['-newkey', 'ec', ...curve]
  openssl('req', '-new', ...kind, '-nodes', '-keyout', keyFile, '-out', request, '-subj', subject)
  const extensions = [
    `basicConstraints=critical,CA:${isAuthority ? 'TRUE' : 'FALSE'}`,
    ...(names === undefined ? [] : [`subjectAltName=${names}`]),
  ]
  writeFileSync(`${base}.ext`, extensions.join('\n'))
  const signed =
    issuer === undefined
      ? ['-signkey', keyFile]
      : ['-CA', issuer.certFile, '-CAkey', issuer.keyFile, '-set_serial', String(serial)]
  const days = end === 'past' ? ['-days', '-1'] : ['-days', '30']
  const to = ['-in', request, '-out', certFile, '-extfile', `${base}.ext`]
  openssl('x509', '-req', ...to, ...days, ...signed)
  chmodSync(keyFile, 0o600)
  const read = (path: string): string => readFileSync(path, 'utf8')
  return { certFile, keyFile, cert: read(certFile), key: read(keyFile) }
}

/** Of one test process: made once, when it is asked for. */
function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

export const authority = once(() => makeIdentity({ subject: '/CN=Authority', isAuthority: true }))
/** For localhost and 127.0.0.1. */
export const server = once(() =>
  makeIdentity({
    subject: '/CN=localhost',
    names: 'DNS:localhost,IP:127.0.0.1',
    issuer: authority(),
  }),
)
/** For other.test and what lies below wild.test. */
export const otherServer = once(() =>
  makeIdentity({
    subject: '/CN=other.test',
    names: 'DNS:other.test,DNS:*.wild.test',
    issuer: authority(),
  }),
)
/** Of a client. */
export const user = once(() => makeIdentity({ subject: '/O=Users/CN=Ann', issuer: authority() }))
/** Of a client that nobody vouches for. */
export const stranger = once(() => makeIdentity({ subject: '/CN=Stranger' }))

/** Options of a server that speaks TLS. */
export const serverTls = (): Record<string, unknown> => ({
  tlsCert: server().certFile,
  tlsKey: server().keyFile,
})
