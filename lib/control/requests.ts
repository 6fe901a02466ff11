// What may be asked of a running server: the words of a request, for the server that reads them and for the command
// that sends them.

import { nearest } from '../options/suggestion.js'

export type Request =
  | { name: 'stats' | 'workers' | 'config' | 'reload-certificates' }
  | { name: 'connections'; limit: number }
  | { name: 'resize'; how: 'grow' | 'shrink' }
  | { name: 'profile'; action: 'start' | 'stop' }

/** Connections that are listed unless the request says how many. */
const CONNECTIONS = 50
const MOST_CONNECTIONS = 10_000

interface Form {
  /** Words after the first, as they stand in messages. */
  words: string
  doc: string
  parse(words: readonly string[]): Request | undefined
}

const alone =
  (request: Request) =>
  (words: readonly string[]): Request | undefined =>
    words.length === 0 ? request : undefined

/** Every request by its first word. */
export const forms: Readonly<Record<string, Form>> = {
  stats: {
    words: '',
    doc: 'Counters, levels and times, of each process and together.',
    parse: alone({ name: 'stats' }),
  },
  connections: {
    words: '[N]',
    doc: `Open connections, at most N of them (${CONNECTIONS}).`,
    parse: ([count = String(CONNECTIONS), ...more]) =>
      /^\d{1,9}$/.test(count) && Number(count) <= MOST_CONNECTIONS && more.length === 0
        ? { name: 'connections', limit: Number(count) }
        : undefined,
  },
  workers: {
    words: '[add|remove]',
    doc: 'Server processes and handler workers; one server process more or fewer.',
    parse: (words) => {
      if (words.length === 0) return { name: 'workers' }
      if (words.length > 1) return undefined
      if (words[0] === 'add') return { name: 'resize', how: 'grow' }
      return words[0] === 'remove' ? { name: 'resize', how: 'shrink' } : undefined
    },
  },
  config: {
    words: '',
    doc: 'Options in force and where they come from, without secrets.',
    parse: alone({ name: 'config' }),
  },
  'reload-certificates': {
    words: '',
    doc: 'Reads certificates and keys anew, for new connections.',
    parse: alone({ name: 'reload-certificates' }),
  },
  profile: {
    words: 'start|stop',
    doc: 'A CPU profile of each server process; stop names the files.',
    parse: ([action, ...more]) =>
      (action === 'start' || action === 'stop') && more.length === 0
        ? { name: 'profile', action }
        : undefined,
  },
}

const known = Object.entries(forms).map(([name, { words }]) => `${name} ${words}`.trim())

/** What is wrong with a request. */
export class RequestError extends Error {}

/**
 * Reads a request.
 * @throws RequestError that says what was wanted
 * @example
 * parseRequest(['connections', '5']) // { name: 'connections', limit: 5 }
 */
export function parseRequest([name = '', ...words]: readonly string[]): Request {
  const form = Object.hasOwn(forms, name) ? forms[name] : undefined
  if (form === undefined) {
    const near = nearest(name, Object.keys(forms))
    const hint = near === undefined ? '' : `; did you mean ${near}?`
    const what = name === '' ? 'no request' : `no request ${JSON.stringify(name)}`
    throw new RequestError(`${what}; wanted one of: ${known.join(', ')}${hint}`)
  }
  const request = form.parse(words)
  if (request !== undefined) return request
  const given = words.map((word) => JSON.stringify(word)).join(' ')
  const limit = name === 'connections' ? `, N up to ${MOST_CONNECTIONS}` : ''
  throw new RequestError(
    `${name}${given && ` ${given}`}: wanted ${`${name} ${form.words}`.trim()}${limit}`,
  )
}

/** Lines of the help. */
export function requestsHelp(): string[] {
  const width = Math.max(...known.map((text) => text.length)) + 2
  return Object.values(forms).map(({ doc }, i) => `  ${(known[i] ?? '').padEnd(width)}${doc}`)
}
