// Puts the sources together, weakest first, checks what only the whole can show, and reports every problem at once.

import { checks } from './checks.js'
import { fromConstructor } from './constructor.js'
import { defaultValue } from './defaults.js'
import { camelCase } from './names.js'
import type { Option } from './option.js'
import { OptionsError } from './problem.js'
import type { GaidarosOptions, SettingName, Settings } from './settings.js'
import { type Assignment, type Collected, type Origin, originText } from './source.js'
import { type OptionName, table } from './table.js'

/** Where options come from. An absent source contributes nothing. */
export interface Sources {
  /** The constructor's argument. */
  readonly options?: GaidarosOptions | undefined
}

/** The effective options. */
export interface Resolved {
  /** Normalized values; frozen. */
  readonly settings: Settings
  /** Where each value came from. */
  readonly origins: Readonly<Record<SettingName, Origin>>
  /** Things that an operator may want to know: files that were skipped, and why. */
  readonly notes: readonly string[]
  /** Configuration files that were read, weakest first. */
  readonly files: readonly string[]
}

/** The strongest assignment of each option, by canonical name. */
export type Effective = ReadonlyMap<OptionName, Assignment>

/**
 * Resolves all options: built-in < files < environment < command line < constructor.
 * @returns frozen settings with the origin of each value.
 * @throws OptionsError (ERR_GAIDAROS_OPTION, ERR_GAIDAROS_CONFIG) with every problem of every source.
 * @example
 * resolve({ options: { port: 7000, idleTimeout: '5m' } }).settings.idleTimeout // 300000
 */
export function resolve(sources: Sources): Resolved {
  const parts: Collected[] = [fromConstructor(sources.options ?? {})]
  const effective = strongest(parts.flatMap((part) => part.assignments))
  const problems = [...parts.flatMap((part) => part.problems), ...checks(effective)]
  if (problems.length > 0) throw new OptionsError(problems)
  return { ...freeze(imply(effective)), notes: [], files: [] }
}

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

/** No buffering at all includes none by Nagle. After the checks, which look at what was given. */
function imply(effective: Map<OptionName, Assignment>): Effective {
  const nodelay = effective.get('tcp_nodelay')
  const nagle = effective.get('disable_nagle')
  if (nodelay?.value === true && nagle?.value === false)
    effective.set('disable_nagle', {
      ...nagle,
      value: true,
      origin: { kind: 'implied', by: `tcp_nodelay (${originText(nodelay.origin)})` },
    })
  return effective
}

function freeze(effective: Effective): Pick<Resolved, 'settings' | 'origins'> {
  const entries = [...effective.values()]
  const by = <V>(pick: (assignment: Assignment) => V) =>
    Object.freeze(Object.fromEntries(entries.map((a) => [camelCase(a.option.name), pick(a)])))
  return {
    settings: by((a) => a.value) as unknown as Settings,
    origins: by((a) => a.origin) as Resolved['origins'],
  }
}
