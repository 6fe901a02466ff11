// One canonical name, and its spellings on the command line, in the environment, in the API and in a file.

import type { Camel, Option } from './option.js'
import type { Row } from './table.js'
import { table } from './table.js'

/** `idle_timeout` → `idleTimeout`. */
export function camelCase<S extends string>(name: S): Camel<S> {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) as Camel<S>
}

/** `idle_timeout` → `idle-timeout`. */
export const kebabCase = (name: string): string => name.replaceAll('_', '-')

/** `idle_timeout` → `GAIDAROS_IDLE_TIMEOUT`. */
export const variableName = (name: string): string => `GAIDAROS_${name.toUpperCase()}`

/** The key in the configuration file: the name less a leading `<section>_`, unless the row says otherwise. */
export function confKey(option: Option): string {
  if (option.key !== undefined) return option.key
  const prefix = `${option.section}_`
  return option.name.startsWith(prefix) ? option.name.slice(prefix.length) : option.name
}

const spelled = (spell: (row: Option) => string): ReadonlyMap<string, Row> =>
  new Map(table.map((row) => [spell(row), row]))

export const byName = spelled((row) => row.name)
export const bySetting = spelled((row) => camelCase(row.name))
export const byVariable = spelled((row) => variableName(row.name))
/** By `section.key`. */
export const byKey = spelled((row) => `${row.section}.${confKey(row)}`)
