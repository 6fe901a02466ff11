// What each method of compression has, and within which bounds: options that it does not know are refused.

import { about, current, isDefault } from './assignments.js'
import type { Effective } from './effective.js'
import type { Problem } from './problem.js'
import type { Assignment } from './source.js'
import type { OptionName } from './table.js'

type Bounds = Partial<Record<OptionName, readonly [least: number, most: number]>>

const DEFLATE: Bounds = {
  compress_level: [0, 9],
  compress_window: [9, 15],
  compress_memory: [1, 9],
}

const METHODS: Record<string, Bounds> = {
  none: {},
  zlib: DEFLATE,
  gzip: DEFLATE,
  zstd: { compress_level: [1, 22], compress_window: [10, 27], inflate_window: [10, 27] },
  brotli: { compress_level: [0, 11], compress_window: [10, 24], inflate_window: [10, 24] },
}

const OPTIONS = ['compress_level', 'compress_window', 'compress_memory', 'inflate_window'] as const

/** Options that were given and that the method does not have, or not with this value. */
export function ofCompression(effective: Effective): Problem[] {
  const method = String(current(effective, 'compress'))
  return OPTIONS.flatMap((name) => {
    const assignment = effective.get(name) as Assignment
    if (isDefault(assignment)) return []
    const bounds = METHODS[method]?.[name]
    if (bounds === undefined) return [about(assignment, `compress ${method} has no such thing`)]
    const [least, most] = bounds
    const value = Number(assignment.value)
    if (value >= least && value <= most) return []
    return [about(assignment, `wanted ${least} to ${most} with compress ${method}`)]
  })
}
