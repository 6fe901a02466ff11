// Stands in with Node's own classes until ours are there.

import type { HttpRequest } from '../http/request.js'

export type { Headers as LightHeaders, Request as LightRequest, Response as LightResponse }

export function installGlobals(): void {}

export function requestOf(
  request: HttpRequest,
  origin: string,
  signal: () => AbortSignal,
): Request {
  const { method, target } = request
  const url = target.startsWith('/') ? origin + target : target === '*' ? `${origin}/*` : target
  const headers = new Headers([...request.headers])
  const body =
    method === 'GET' || method === 'HEAD' || request.body.length === 0 ? null : request.body
  return new Request(url, { method, headers, body: body as never, signal: signal() })
}

export interface Parts {
  status: number
  statusText: string
  headers: Iterable<readonly [string, string]>
  body: string | Uint8Array | AsyncIterable<Uint8Array> | undefined
}

export function partsOf(response: unknown): Parts | undefined {
  if (!(response instanceof Response)) return undefined
  if (response.bodyUsed) throw new TypeError('Response: its body was used')
  const { status, statusText, headers, body } = response
  return {
    status,
    statusText,
    headers,
    body: (body ?? undefined) as AsyncIterable<Uint8Array> | undefined,
  }
}
