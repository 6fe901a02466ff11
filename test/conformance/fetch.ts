// Frontend fetch in the cases: its servers and what their clients get.

import type { FetchHandler } from '../../lib/frontend/exchange.js'
import type { Case, Context } from './case.js'
import { askHttp, failed, get } from './http.js'
import type { Served } from './served.js'

export const PLAIN = 'content-type: text/plain;charset=UTF-8\r\n'

/** A response to a text. */
export const fetched = (text: string, more = '', status = '200 OK'): string =>
  `HTTP/1.1 ${status}\r\n${PLAIN}Content-Length: ${Buffer.byteLength(text)}\r\n${more}\r\n${text}`

export const serveFetch = (ctx: Context, handleRequest: FetchHandler, more = {}): Promise<Served> =>
  ctx.serve({ frontend: 'fetch', handleRequest, ...more })

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
export const pathOf = ({ url }: Request): string => new URL(url).pathname

/** A handler that fails is answered with 500, and its error is logged. */
export const fails =
  (handleRequest: FetchHandler, line: RegExp): Case =>
  async (_t, ctx) => {
    const served = await serveFetch(ctx, handleRequest)
    const client = await served.connect()
    await askHttp(client, get('/') + get('/never'), failed())
    await client.expectEnd('fin')
    await served.logged(line)
  }
