// Reads certificates and keys, and says of each file what is wrong with it. Called before anything is bound.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs'

/** More than any chain, and less than hurts. */
const MOST_BYTES = 1024 * 1024
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** What is wrong with a file: the words after its name. */
export class BadFile extends Error {}

/** Certificates of a PEM file in their order. @throws BadFile */
export function readCertificates(path: string): { pem: string; list: X509Certificate[] } {
  const pem = readText(path)
  const blocks = pem.match(BLOCK)
  if (blocks === null) throw new BadFile('holds no certificate in PEM; wanted BEGIN CERTIFICATE')
  const list = blocks.map((block, i) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw new BadFile(`certificate ${i + 1} in it cannot be read; wanted X.509 in PEM`)
    }
  })
  return { pem: blocks.join('\n'), list }
}

/** The private key of a PEM file that nobody else can read. @throws BadFile */
export function readKey(path: string): { pem: string; key: KeyObject } {
  const pem = readText(path, checkPrivacy)
  if (/ENCRYPTED/.test(pem)) throw new BadFile('is encrypted; wanted a key without a passphrase')
  if (!/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(pem))
    throw new BadFile('holds no private key in PEM; wanted BEGIN PRIVATE KEY')
  try {
    return { pem, key: createPrivateKey(pem) }
  } catch {
    throw new BadFile('the key in it cannot be read; wanted a private key in PEM')
  }
}

function readText(path: string, check: (stats: Stats) => void = () => undefined): string {
  let fd: number
  try {
    // Without waiting for who writes to it, if it is a pipe.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new BadFile(code === 'ENOENT' ? 'is not there' : `cannot be opened (${code})`)
  }
  try {
    const stats = fstatSync(fd)
    if (!stats.isFile()) throw new BadFile('is no regular file')
    if (stats.size > MOST_BYTES) throw new BadFile(`has more than ${MOST_BYTES} bytes`)
    check(stats)
    return readFileSync(fd, 'latin1')
  } finally {
    closeSync(fd)
  }
}

/** A group may read it: that is how some systems let their services do so. */
function checkPrivacy({ mode, uid }: Stats): void {
  const shown = (mode & 0o777).toString(8).padStart(4, '0')
  if ((mode & 0o007) !== 0)
    throw new BadFile(`has mode ${shown}: others can read or change it; wanted 0600 or 0640`)
  if ((mode & 0o020) !== 0)
    throw new BadFile(`has mode ${shown}: its group can change it; wanted 0600 or 0640`)
  const mine = process.geteuid?.()
  if (mine !== undefined && uid !== mine && uid !== 0)
    throw new BadFile(`belongs to user ${uid}; wanted root or user ${mine}, who serves`)
}
