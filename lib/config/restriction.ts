// What a user-level file, once chained, may not set: nothing that would let a user take over the system's server.

import { isIP } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import type { Effective } from '../options/effective.js'
import type { Assignment } from '../options/source.js'
import type { OptionName } from '../options/table.js'
import { writeValue } from '../options/write.js'

/**
 * Why a user-level file may not make this assignment, if so.
 * @param system the values that the built-ins and the files of the system give
 */
export function restriction({ option, value }: Assignment, system: Effective): string | undefined {
  const allowed = system.get(option.name as OptionName)?.value
  if (isDeepStrictEqual(value, allowed)) return undefined
  switch (option.userFile ?? true) {
    case true:
      return undefined
    case false:
      return 'a user-level file may not set it'
    case 'lower':
      return extent(value) <= extent(allowed) ? undefined : above(writeValue(option, allowed))
    case 'loopback':
      return isLoopback(String(value)) || covers(String(allowed), String(value))
        ? undefined
        : `a user-level file may not listen beyond loopback and ${String(allowed)}`
    case 'no vsock':
      return value === 'vsock'
        ? 'a user-level file may not set it to vsock, by which other machines connect'
        : undefined
    case 'unprivileged':
      return value === 0 || Number(value) >= 1024
        ? undefined
        : 'a user-level file may not set a port below 1024'
  }
}

const above = (limit: string | undefined): string =>
  `a user-level file may not go above the system's ${limit}`

/** 0 is off: no limit at all. A list is as large as its largest item. */
const extent = (value: unknown): number =>
  Math.max(...[value].flat().map((item) => (item === 0 ? Number.POSITIVE_INFINITY : Number(item))))

/** By address, and by the one name that every system keeps for it. */
const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

/** The system listens on every address of that family already. */
const covers = (allowed: string, host: string): boolean =>
  (allowed === '::' && isIP(host) !== 0) || (allowed === '0.0.0.0' && isIP(host) === 4)
