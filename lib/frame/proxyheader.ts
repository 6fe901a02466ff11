// The PROXY protocol's header (HAProxy, doc/proxy-protocol.txt of 2020/03/05) for the portable engine: the same
// rules as native/conn/proxy_header.cc, and the same corpus in the tests of both.

import { isIP, isIPv4, isIPv6 } from 'node:net'
import type { Address } from '../engine/engine.js'

/** Versions that are taken; `auto` takes both. */
export type ProxyVersions = 'v1' | 'v2' | 'auto'

/** A type-length-value of version 2 (section 2.2 of the protocol). */
export interface ProxyTlv {
  /** 0x01 ALPN, 0x02 authority, 0x05 unique id, 0x20 TLS, … */
  type: number
  value: Buffer
}

export interface ProxyHeader {
  version: 1 | 2
  /** undefined: the proxy speaks for itself, or does not know who for; the socket's own addresses hold. */
  source: Address | undefined
  destination: Address | undefined
  /** In their order; NOOP and CRC32C are left out. */
  tlvs: ProxyTlv[]
}

/** What the first bytes of a connection are: part of a header, a header and how long it is, or none. */
export type ProxyResult =
  | { status: 'more' }
  | { status: 'done'; used: number; header: ProxyHeader }
  | { status: 'refused'; why: string }

const LINE = Buffer.from('PROXY ')
/** With its CRLF. */
const LONGEST_LINE = 107
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const FIXED = 16
const LONGEST = FIXED + 4096
const TLV = { crc: 0x03, noop: 0x04 } as const
const MORE: ProxyResult = { status: 'more' }

/** Bytes of an address by its family in version 2: unspecified, IPv4, IPv6, unix. */
const SIZES = [0, 4, 16, 108] as const

/**
 * Looks at the first bytes of a connection. A refusal comes with the first byte that cannot belong to a header.
 * @example parseProxyHeader(Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.2 1234 80\r\n'), 'auto') // status 'done'
 */
export function parseProxyHeader(input: Buffer, versions: ProxyVersions): ProxyResult {
  const isLine = versions !== 'v2' && agrees(input, LINE)
  const isBinary = versions !== 'v1' && agrees(input, SIGNATURE)
  if (isLine && input.length >= LINE.length) return parseLine(input)
  if (isBinary && input.length >= SIGNATURE.length) return parseBinary(input)
  if (isLine || isBinary) return MORE
  const version = versions === 'auto' ? '' : `, version ${versions.slice(1)}`
  return refuse(`wanted a PROXY header${version}`)
}

const refuse = (why: string): ProxyResult => ({ status: 'refused', why })

const agrees = (input: Buffer, wanted: Buffer): boolean => {
  const length = Math.min(input.length, wanted.length)
  return input.subarray(0, length).equals(wanted.subarray(0, length))
}

function parseLine(input: Buffer): ProxyResult {
  const text = input.toString('latin1', 0, LONGEST_LINE)
  const end = text.indexOf('\r\n')
  if (end < 0)
    return input.length >= LONGEST_LINE
      ? refuse('PROXY v1: wanted a line of at most 107 bytes')
      : MORE
  const [family, source, destination, from, to, ...rest] = text.slice(LINE.length, end).split(' ')
  const done = (header: Pick<ProxyHeader, 'source' | 'destination'>): ProxyResult => ({
    status: 'done',
    used: end + 2,
    header: { version: 1, ...header, tlvs: [] },
  })
  if (family === 'UNKNOWN') return done({ source: undefined, destination: undefined })
  if (family !== 'TCP4' && family !== 'TCP6')
    return refuse('PROXY v1: wanted TCP4, TCP6 or UNKNOWN')
  const ports = [from, to].map(portOf)
  if (rest.length > 0 || ports.includes(undefined))
    return refuse('PROXY v1: wanted two ports from 0 to 65535')
  const isOfFamily = family === 'TCP4' ? isIPv4 : isIPv6
  const places = [source, destination].map((address = '', i) =>
    isOfFamily(address) && !address.includes('%')
      ? placeOf(address, ports[i] as number)
      : undefined,
  )
  if (places.includes(undefined))
    return refuse('PROXY v1: wanted two addresses of the family that it names')
  return done({ source: places[0], destination: places[1] })
}

/** Decimal, without leading zeros. */
function portOf(text = ''): number | undefined {
  const port = /^(0|[1-9]\d{0,4})$/.test(text) ? Number(text) : Number.NaN
  return port <= 65535 ? port : undefined
}

const placeOf = (address: string, port: number): Address => ({
  address,
  family: isIP(address) === 6 ? 'IPv6' : 'IPv4',
  port,
})

function parseBinary(input: Buffer): ProxyResult {
  const [version, command] = [(input[12] ?? 0x20) >> 4, (input[12] ?? 0) & 0xf]
  if (version !== 2) return refuse('PROXY v2: wanted version 2')
  if (command > 1) return refuse('PROXY v2: wanted command LOCAL or PROXY')
  if (input.length < FIXED) return MORE
  const used = FIXED + input.readUInt16BE(14)
  if (used > LONGEST) return refuse('PROXY v2: wanted a header of at most 4112 bytes')
  if (input.length < used) return MORE
  const header: ProxyHeader = { version: 2, source: undefined, destination: undefined, tlvs: [] }
  const done: ProxyResult = { status: 'done', used, header }
  // LOCAL: the addresses are to be skipped, whatever they are.
  if (command === 0) return done
  const [family, transport] = [(input[13] as number) >> 4, (input[13] as number) & 0xf]
  const size = SIZES[family]
  if (size === undefined || transport > 2)
    return refuse('PROXY v2: wanted a family and a transport that version 2 knows')
  const tlvs = FIXED + 2 * size + (size === 4 || size === 16 ? 4 : 0)
  if (used < tlvs) return refuse('PROXY v2: wanted addresses of the family it names')
  if (family === 0) return done
  if (size !== 108) {
    const ports = FIXED + 2 * size
    const at = (start: number, port: number): Address =>
      placeOf(addressText(input.subarray(start, start + size)), input.readUInt16BE(port))
    header.source = at(FIXED, ports)
    header.destination = at(FIXED + size, ports + 2)
  }
  const wrong = readTlvs(input.subarray(0, used), tlvs, header.tlvs)
  return wrong === undefined ? done : refuse(wrong)
}

/** As text (RFC 5952); an IPv4 address in an IPv6 one (RFC 4291, 2.5.5.2) reads as plain IPv4. */
function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.subarray(0, 12).equals(Buffer.from('00000000000000000000ffff', 'hex')))
    return bytes.subarray(12).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

/** Adds those from `at` on to `tlvs`. @returns what was wanted, where they are not well formed */
function readTlvs(whole: Buffer, start: number, tlvs: ProxyTlv[]): string | undefined {
  for (let at = start; at < whole.length; ) {
    const length = at + 3 <= whole.length ? whole.readUInt16BE(at + 1) : Number.POSITIVE_INFINITY
    if (at + 3 + length > whole.length)
      return 'PROXY v2: wanted TLVs that end where the header does'
    const type = whole[at] as number
    const value = whole.subarray(at + 3, at + 3 + length)
    if (type === TLV.crc && !isSum(whole, at + 3, value))
      return 'PROXY v2: wanted the CRC32C of the header'
    if (type !== TLV.crc && type !== TLV.noop) tlvs.push({ type, value: Buffer.from(value) })
    at += 3 + length
  }
  return undefined
}

/** `value`, which lies at `at`, is the CRC32C (RFC 4960, appendix B) of the header with zeros in its place. */
function isSum(whole: Buffer, at: number, value: Buffer): boolean {
  if (value.length !== 4) return false
  const zeroed = Buffer.from(whole).fill(0, at, at + 4)
  let crc = 0xffffffff
  for (const byte of zeroed) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0 === value.readUInt32BE()
}
