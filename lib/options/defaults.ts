// The built-in values: the weakest source.

import { camelCase } from './names.js'
import type { Option } from './option.js'
import type { Settings } from './settings.js'
import { table } from './table.js'
import { readText } from './value.js'

/** A row's default, normalized. */
export function defaultValue(option: Option): unknown {
  const read = readText(option, String(option.default))
  if ('value' in read) return read.value
  throw new Error(`the default of ${option.name} is not ${read.wanted}`)
}

/**
 * Every option at its default, normalized: a fresh object.
 * @example
 * defaults().port // 8080
 */
export function defaults(): Settings {
  const entries = (table as readonly Option[]).map((row) => [
    camelCase(row.name),
    defaultValue(row),
  ])
  return Object.fromEntries(entries) as Settings
}
