// An address to listen on as one word: HOST:PORT, [IPv6]:PORT, or PORT alone.

export interface ListenPlace {
  host: string
  port: number
}

/** Where no host is given nobody outside of the machine is meant. */
const LOOPBACK = '127.0.0.1'

/**
 * Reads an address.
 * @returns undefined when it is none
 * @example
 * parsePlace('9100') // { host: '127.0.0.1', port: 9100 }
 */
export function parsePlace(text: string): ListenPlace | undefined {
  const match = /^(?:(\[[0-9A-Fa-f:.%\w]+\]|[^:[\]\s]*):)?(\d{1,5})$/.exec(text)
  const port = Number(match?.[2])
  if (match === null || port > 65535) return undefined
  const host = match[1]?.replace(/^\[|\]$/g, '') || LOOPBACK
  return { host, port }
}
