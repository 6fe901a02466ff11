// The strongest assignment of each option: defaults, overlaid in the order of force.

import { defaultValue } from './defaults.js'
import type { Option } from './option.js'
import type { Assignment } from './source.js'
import { type OptionName, table } from './table.js'

/** The strongest assignment of each option, by canonical name. */
export type Effective = ReadonlyMap<OptionName, Assignment>

/** Defaults overlaid by assignments, in their order. */
export function strongest(assignments: readonly Assignment[]): Map<OptionName, Assignment> {
  const effective = new Map<OptionName, Assignment>()
  for (const option of table as readonly Option[])
    effective.set(option.name as OptionName, {
      option,
      value: defaultValue(option),
      origin: { kind: 'default' },
    })
  for (const assignment of assignments)
    effective.set(assignment.option.name as OptionName, assignment)
  return effective
}
