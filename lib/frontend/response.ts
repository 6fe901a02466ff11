// What a fetch handler has returned, as a response on the wire.

import { typeName } from '../dispatch/codec.js'
import { HTTP_FLAG } from '../engine/layout.js'
import { misuse } from '../errors.js'
import { JSON_FIELDS, type Parts, TEXT_FIELDS } from '../fetch/index.js'
import { type Fields, fieldsOf, shown, VALUE } from '../http/fields.js'
import { type Head, textWriter, type Written, writeBody, writeHead } from '../http/response.js'
import { noting } from './pieces.js'

const writePlain = textWriter('content-type: text/plain;charset=UTF-8\r\n')
const writeJson = textWriter('content-type: application/json\r\n')

/**
 * The response to a plain request that keeps its connection, where it is 200 and a string that was given no fields: what
 * most responses of a small service are. undefined: it is not.
 */
export function writePlainly({ status, statusText, headers, body }: Parts): string | undefined {
  if (status !== 200 || statusText !== '' || typeof body !== 'string') return undefined
  if (headers === TEXT_FIELDS) return writePlain(body)
  return headers === JSON_FIELDS ? writeJson(body) : undefined
}

/**
 * The response of these parts.
 * @param flags of the request, HTTP_FLAG
 * @param over called when a body in pieces has ended, however it did
 * @throws TypeError ERR_GAIDAROS_REPLY where it cannot be sent
 */
export function writeFetched(
  parts: Parts,
  flags: number,
  keep: boolean,
  over: () => void,
): Written {
  const { body } = parts
  const head = headOf(parts)
  if (typeof body === 'object' && Symbol.asyncIterator in body)
    return writeBody(head, noting(body, hasEvents(parts), over), flags, keep)
  // What is left out of the response to HEAD may have been left out before: nobody knows its length then.
  if (body === undefined && (flags & HTTP_FLAG.head) !== 0) return writeHead(head, flags, keep)
  return writeBody(head, body, flags, keep)
}

export const unwanted = (returned: unknown): TypeError =>
  misuse(
    'ERR_GAIDAROS_REPLY',
    `fetch: returned a value of type ${typeName(returned)}; wanted a Response, or a promise of one`,
  )

function headOf({ status, statusText, headers }: Parts): Head {
  if (status === 0)
    throw misuse('ERR_GAIDAROS_REPLY', 'fetch: returned Response.error(); wanted one with a status')
  if (!VALUE.test(statusText))
    throw misuse(
      'ERR_GAIDAROS_REPLY',
      `fetch: statusText: ${shown(statusText)}; wanted characters up to U+00FF and no line ends`,
    )
  const fields = fieldsFor(status, headers)
  return statusText === '' ? { status, fields } : { status, phrase: statusText, fields }
}

/** Those that are an application's to set; how the bytes of a body are cut is the server's business. */
function fieldsFor(status: number, headers: Parts['headers']): Fields {
  const pairs: (readonly [string, string])[] = []
  for (const pair of headers) if (isApplications(status, pair[0], pair[1])) pairs.push(pair)
  const fields = fieldsOf(pairs)
  // The standard has given it a type, or there is to be none.
  fields.hasType = true
  return fields
}

function isApplications(status: number, name: string, value: string): boolean {
  switch (name.toLowerCase()) {
    case 'transfer-encoding':
    case 'keep-alive':
      return false
    case 'connection':
      return value.toLowerCase() === 'close'
    case 'content-length':
      return status !== 204
    default:
      return true
  }
}

/** Clients wait for the head of these, and for their first event however long that takes. */
function hasEvents({ headers }: Parts): boolean {
  for (const [name, value] of headers)
    if (name.toLowerCase() === 'content-type') return /^text\/event-stream\b/i.test(value)
  return false
}
