// Options whose feature this version does not have: only their default is accepted. The one list; it shrinks to nothing.

import type { Option } from './option.js'
import type { OptionName } from './table.js'

/** Options that may only have their default value. */
export const unavailable: ReadonlySet<OptionName> = new Set<OptionName>([
  'frontend',
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

/** True when this version has the option's feature. */
export const isAvailable = (option: Option): boolean => !unavailable.has(option.name as OptionName)

/** What documents say of what is not there: `Only none in this version`; undefined where nothing is to be said. */
export function laterNote(option: Option): string | undefined {
  const { kind, default: standard } = option
  if (isAvailable(option)) return undefined
  return kind.type === 'enum' && standard !== ''
    ? `Only ${standard} in this version`
    : 'Not available in this version'
}
