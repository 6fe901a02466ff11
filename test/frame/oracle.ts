// Node's own parser of HTTP (llhttp, strict) as an oracle: what it takes for requests, and where each of them ends.

import { METHODS } from 'node:http'
import { createRequire } from 'node:module'

type Callback = (...values: never[]) => number

/** What node:http uses itself. Callbacks stand at numbers that are properties of the class. */
interface Parser {
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void
  execute(bytes: Buffer): number | Error
  close(): void
  [callback: number]: Callback
}

interface ParserClass {
  new (): Parser
  REQUEST: number
  kOnHeaders: number
  kOnHeadersComplete: number
  kOnBody: number
  kOnMessageComplete: number
}

const { HTTPParser } = createRequire(import.meta.url)('_http_common') as { HTTPParser: ParserClass }

export interface Request {
  method: string
  target: string
  body: string
  /** Bytes of the input up to its end. */
  end: number
  /** The connection has no further one. */
  last: boolean
}

/** What came of an input. */
export interface Read {
  requests: Request[]
  /** It was refused behind them. */
  refused: boolean
}

/** Reads an input byte by byte. `nameOf` says which method has a number: Node does not. */
function read(input: Buffer, nameOf: (method: number) => string): Read {
  const parser = new HTTPParser()
  const requests: Request[] = []
  let at = 0
  const none = { method: '', target: '', body: '', last: false, isHead: true }
  let next = none
  parser.initialize(HTTPParser.REQUEST, {}, 0, 0)
  parser[HTTPParser.kOnHeaders] = (_fields: unknown, target: string) => {
    // With trailers it is given once more.
    if (next.isHead) next = { ...next, target: next.target + target }
    return 0
  }
  parser[HTTPParser.kOnHeadersComplete] = (
    _major: number,
    _minor: number,
    _fields: unknown,
    method: number,
    target = '',
    _status: unknown,
    _message: unknown,
    _upgrade: unknown,
    keepsAlive = false,
  ) => {
    next = {
      method: nameOf(method),
      target: next.target + target,
      body: '',
      last: !keepsAlive,
      isHead: false,
    }
    return 0
  }
  parser[HTTPParser.kOnBody] = (bytes: Buffer) => {
    next = { ...next, body: next.body + bytes.toString('latin1') }
    return 0
  }
  parser[HTTPParser.kOnMessageComplete] = () => {
    const { method, target, body, last } = next
    requests.push({ method, target, body, end: at + 1, last })
    next = none
    return 0
  }
  let refused = false
  for (; at < input.length && !refused; at++)
    refused = typeof parser.execute(input.subarray(at, at + 1)) !== 'number'
  parser.close()
  return { requests, refused }
}

const numbers = new Map(
  METHODS.filter((method) => method !== 'CONNECT').map((method) => {
    let number = -1
    read(Buffer.from(`${method} * HTTP/1.1\r\nHost: a\r\n\r\n`), (each) => {
      number = each
      return ''
    })
    return [number, method]
  }),
)

/** What Node makes of an input. */
export const readByNode = (input: Buffer): Read =>
  read(input, (method) => numbers.get(method) ?? `method ${method}`)
