// What the client is told when the handler has failed, the last that it hears on its connection.

import { write } from './response.js'

const SORRY = '500 Internal Server Error\n'

/** @param flags of the request, HTTP_FLAG */
export function apology(flags: number): Uint8Array {
  const { data } = write({ status: 500, body: SORRY }, flags, false)
  return Buffer.from(data as string)
}
