// Options whose feature this version does not have: only their default is accepted. The one list; it shrinks to nothing.

import type { Option } from './option.js'
import type { OptionName } from './table.js'

/** Options that may only have their default value. */
export const unavailable: ReadonlySet<OptionName> = new Set<OptionName>([
  'profile',
  'doctest',
  'locale',
  'language',
  'cluster_nodes',
  'cluster_secrets',
  'cluster_bus',
  'cluster_name',
  'node_name',
  'cluster_heartbeat',
  'cluster_accept_timeout',
  'cluster_claim',
])

/** Values of options that are there. */
const unavailableValues: Readonly<Partial<Record<OptionName, readonly unknown[]>>> = {
  frontend: ['http', 'ws'],
}

/** What a value of `option` has to be instead, where this version does not have it; undefined: it has it. */
export function insteadOf({ name, kind }: Option, value: unknown): string | undefined {
  const missing = unavailableValues[name as OptionName] ?? []
  if (kind.type !== 'enum' || !missing.includes(value)) return undefined
  return there(kind.values, missing)
}

const there = (values: readonly unknown[], missing: readonly unknown[]): string =>
  values
    .filter((each) => !missing.includes(each))
    .map((each) => (each === '' ? 'empty' : String(each)))
    .join(' or ')

/** True when this version has the option's feature. */
export const isAvailable = (option: Option): boolean => !unavailable.has(option.name as OptionName)

/** What documents say of what is not there: `Only none in this version`; undefined where nothing is to be said. */
export function laterNote(option: Option): string | undefined {
  const { kind, default: standard } = option
  const missing = unavailableValues[option.name as OptionName]
  if (missing !== undefined && kind.type === 'enum')
    return `Only ${there(kind.values, missing)} in this version`
  if (isAvailable(option)) return undefined
  return kind.type === 'enum' && standard !== ''
    ? `Only ${standard} in this version`
    : 'Not available in this version'
}
