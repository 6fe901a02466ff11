// What the foreground server prints when it is ready: who serves, where, and a line to try it with.

import { endpoint } from '../engine/endpoint.js'
import type { Address, CompressMethod } from '../engine/engine.js'
import { probeVsock } from '../engine/index.js'
import { version } from '../version.js'

const ANY = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

type Compress = CompressMethod | 'none'

/** What compresses standard input, and what inflates it. */
const CODERS: Readonly<Record<Compress, readonly string[]>> = {
  none: [],
  zlib: ['pigz -cz', 'pigz -dc'],
  gzip: ['gzip -c', 'gzip -dc'],
  zstd: ['zstd -qc', 'zstd -qdc'],
  brotli: ['brotli -c', 'brotli -dc'],
}

function attempt(place: Address, requests: Requests): string {
  const { takesLines, http, datagrams, messages, zmq, secure, compress = 'none' } = requests
  const { address, family, port } = place
  if (zmq) return zmqClient(place)
  if (http && compress === 'none' && family !== 'vsock') return httpClient(place, secure)
  const [pack, unpack] = CODERS[compress]
  const isCoded = pack !== undefined
  // -w 1: most kinds of nc would wait on after the answer. -N: both streams of what is compressed come to their end.
  const nc = datagrams ? 'nc -u -w 1' : isCoded ? 'nc -N' : 'nc -w 1'
  const plainClient = () => {
    if (family === 'unix') return localClient(address, datagrams, messages, nc)
    if (family === 'vsock') return `socat - VSOCK-CONNECT:${machineOf(address)}:${port}`
    return `${nc} ${ANY.get(address) ?? address} ${port}`
  }
  // openssl knows no abstract names and no vsock; what to do there is the user's to say.
  const isKnown = family !== 'vsock' && !address.startsWith('@')
  const client = secure && isKnown ? secureClient(place) : plainClient()
  // s_client does not say when its input has ended.
  if (isCoded && secure) return client
  const line = takesLines || datagrams || messages ? "printf 'hello\\n'" : undefined
  return [line, pack, client, unpack].filter((part) => part !== undefined).join(' | ')
}

/** The CID that others know this machine by; its own one, local, where that is not known. */
const machineOf = (cid: string): string => (cid === 'any' ? String(probeVsock()?.cid ?? 1) : cid)

/** nc knows no abstract names. A client of datagrams is answered where it has a name, too. */
function localClient(path: string, datagrams: boolean, messages: boolean, nc: string): string {
  const isAbstract = path.startsWith('@')
  const name = path.slice(isAbstract ? 1 : 0)
  // SOCK_SEQPACKET, of which nc knows nothing.
  if (messages) return `socat - ${isAbstract ? 'ABSTRACT' : 'UNIX'}-CONNECT:${name},type=5`
  if (!isAbstract) return `${nc} -U ${path}`
  return datagrams
    ? `socat -t 1 - ABSTRACT-SENDTO:${name},bind=${name}.client`
    : `socat - ABSTRACT-CONNECT:${name}`
}

/** With python3-zmq. */
function zmqClient({ address, family, port }: Address): string {
  const host = ANY.get(address) ?? address
  const ip = `tcp://${family === 'IPv6' ? `[${host}]` : host}:${port}`
  const to = family === 'unix' ? `ipc://${address}` : ip
  const ipv6 = family === 'IPv6' ? 's.ipv6 = True; ' : ''
  return `python3 -c 'import zmq; s = zmq.Context().socket(zmq.REQ); ${ipv6}s.connect("${to}"); s.send(b"hello"); print(s.recv())'`
}

/** Whoever tries it has hardly a certificate that anybody vouches for. */
function httpClient({ address, family, port }: Address, secure: boolean): string {
  const curl = secure ? 'curl -k https://' : 'curl http://'
  const host = ANY.get(address) ?? address
  if (family === 'IPv6') return `${curl}[${host}]:${port}/`
  if (family !== 'unix') return `${curl}${host}:${port}/`
  const isAbstract = address.startsWith('@')
  const path = address.slice(isAbstract ? 1 : 0)
  return `${curl}localhost/ --${isAbstract ? 'abstract-unix-socket' : 'unix-socket'} ${path}`
}

/** It ends when the server ends the connection. */
function secureClient({ address, family, port }: Address): string {
  const host = ANY.get(address) ?? address
  const place = family === 'IPv6' ? `[${host}]:${port}` : `${host}:${port}`
  return `openssl s_client -quiet ${family === 'unix' ? `-unix ${address}` : `-connect ${place}`}`
}

export interface Serving {
  engine: { name: string; description: string }
  addresses: readonly Address[]
  /** Requests are lines, as far as the options say. */
  takesLines: boolean
  /** They are those of HTTP. */
  http?: boolean
  datagrams: boolean
  messages: boolean
  /** They are messages of ZeroMQ. */
  zmq?: boolean
  /** TLS begins with the first byte. */
  secure: boolean
  compress?: Compress
}
type Requests = Omit<Serving, 'engine' | 'addresses'>

/** The lines. */
export function banner({ engine, addresses, ...requests }: Serving): string[] {
  const [first] = addresses
  return [
    `Gaidaros ${version()}, ${engine.name} engine: ${engine.description}`,
    ...addresses.map((address) => `listening on ${endpoint(address)}`),
    ...(first ? [`try it: ${attempt(first, requests)}`] : []),
  ]
}
