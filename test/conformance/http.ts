// HTTP as a client speaks it: requests, and responses to the byte but for what the clock says.

import type { HttpRequest } from '../../lib/http/request.js'
import type { Context } from './case.js'
import type { Client } from './client.js'

/** Behind the status line, of every response but 100 Continue. */
const DATE = /Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n/g
const DATE_LENGTH = 'Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n'.length
const DATED = /^HTTP\/1\.1 [2-5]/
const SHOWN = 400

const shown = (text: string): string => JSON.stringify(text.slice(0, SHOWN))

export const TEXT = 'Content-Type: text/plain; charset=utf-8\r\n'

/** A response of 200 to a text. @param more fields behind the length */
export const ok = (text: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\n${TEXT}Content-Length: ${Buffer.byteLength(text)}\r\n${more}\r\n${text}`

export const CLOSE = 'Connection: close\r\n'
export const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const APOLOGY = '500 Internal Server Error\n'

/** What the client of a handler that has failed is told. */
export const failed = (body = APOLOGY): string =>
  `HTTP/1.1 500 Internal Server Error\r\n${TEXT}Content-Length: ${APOLOGY.length}\r\n${CLOSE}\r\n${body}`

/** What the client of a request that cannot be is told. @param status '400 Bad Request' */
export const refused = (status: string): string =>
  `HTTP/1.1 ${status}\r\n${CLOSE}Content-Type: text/plain\r\nContent-Length: ${status.length + 1}\r\n\r\n${status}\n`

/** The next bytes are these responses, each with its Date. */
export async function expectResponses(client: Client, ...responses: string[]): Promise<void> {
  const wanted = responses.join('')
  const dates = responses.filter((response) => DATED.test(response)).length
  const got = await client.take(Buffer.byteLength(wanted) + dates * DATE_LENGTH)
  const text = got.toString()
  const found = text.match(DATE)?.length ?? 0
  if (found !== dates) throw new Error(`wanted ${dates} dates, not ${found}, in ${shown(text)}`)
  const undated = text.replace(DATE, '')
  if (undated === wanted) return
  const at = [...wanted].findIndex((character, i) => character !== undated[i])
  throw new Error(`got ${shown(undated)}, wanted ${shown(wanted)}; they differ from ${at} on`)
}

/** Writes a request and expects these responses. */
export async function askHttp(
  client: Client,
  request: string | Uint8Array,
  ...responses: string[]
): Promise<void> {
  client.send(request)
  await expectResponses(client, ...responses)
}

export const get = (target: string, fields = ''): string =>
  `GET ${target} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`
export const post = (body: string, fields = ''): string =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${fields}\r\n${body}`
export const chunked = (body: string): string =>
  `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body}`
export const large = (bytes: number): string => 'x'.repeat(bytes)

/** A server of HTTP. */
export const serve = (
  ctx: Context,
  handleRequest: (request: HttpRequest, connection: never) => unknown,
  more = {},
) => ctx.serve({ endRequest: 'http', handleRequest, ...more })

/** Requests to /slow are answered when release() is called, others with their body. */
export function gated() {
  const waiting: (() => void)[] = []
  return {
    handle: (request: HttpRequest): unknown =>
      request.path === '/slow'
        ? new Promise((resolve) => waiting.push(() => resolve('slow')))
        : request.text(),
    waiting: () => waiting.length,
    release: () => {
      for (const go of waiting.splice(0)) go()
    },
  }
}
