// Kinds that many rows share.

const DAY = 86_400_000
const GIB = 2 ** 30

export const BOOL = { type: 'bool' } as const
export const STRING = { type: 'string' } as const
export const PATH = { type: 'path' } as const
export const STRINGS = { type: 'list', of: 'string' } as const
export const PATHS = { type: 'list', of: 'path' } as const
/** A number of things; 0 is off where the row says so. */
export const COUNT = { type: 'int', min: 0, max: 2 ** 31 - 1 } as const
/** Bytes; 0 is off where the row says so. */
export const SIZE = { type: 'size', min: 0, max: GIB } as const
/** A limit in time, in seconds where it has no unit; below the 24.8 days of setTimeout. */
export const TIMEOUT = { type: 'duration', unit: 's', min: 0, max: 24 * DAY } as const
/** Short times, in milliseconds where they have no unit. */
export const MILLISECONDS = { type: 'duration', unit: 'ms', min: 0, max: DAY } as const
