// Lines of HTTP and what they are made of.

import { type HttpProgress, MORE } from './progress.js'

export const CR = 13
export const LF = 10

/** One character or more of those that names consist of (RFC 9110, 5.6.2). */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** What values may consist of (RFC 9110, 5.5), and quoted strings as well. */
export const TEXT = /^[\t\x20-\x7e\x80-\xff]*$/

/** What a host of a URI consists of (RFC 3986, 3.2.2), with its port; a comma would stand between two. */
export const HOST = "[A-Za-z0-9\\-._~!$&'()*+;=:%[\\]]"

/**
 * The next line, without its CRLF.
 * @param limit most bytes of it, without CRLF
 * @param tooLong the status that says so
 * @returns the line, or MORE, or the status that the request is refused with
 */
export function takeLine(
  data: Buffer,
  start: number,
  request: HttpProgress,
  limit: number,
  tooLong: number,
): string | number {
  const from = start + request.at
  const end = data.indexOf(LF, start + Math.max(request.at, request.scanned))
  const length = (end < 0 ? data.length : end) - from
  // Before anything else, so that the outcome does not depend on how the input was cut: what is too long is so
  // before its end has come. Its last byte may be the CR of its end.
  if (length > limit + 1) return tooLong
  if (end < 0) {
    request.scanned = data.length - start
    return MORE
  }
  if (length === 0 || data[end - 1] !== CR) return 400
  request.at = end + 1 - start
  return data.toString('latin1', from, end - 1)
}

/** Without the spaces and tabs around it; other white space is content. */
export function trimmed(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isSpace = (code: number): boolean => code === 32 || code === 9
