// The options in which two configurations differ, and which of them a reload can change.

import { bySetting } from '../options/names.js'
import type { SettingName, Settings } from '../options/settings.js'

/** Settings that differ, in the order of the table. */
export function changes(before: Settings, after: Settings): SettingName[] {
  return (Object.keys(after) as SettingName[]).filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  )
}

/** As the documentation names it: `idle_timeout`. */
export const optionName = (name: SettingName): string => bySetting.get(name)?.name ?? name

/**
 * `after`, but with the values of `before` for the settings in `fixed`.
 * @returns what is changed and what is left, by option name
 */
export function merge(
  before: Settings,
  after: Settings,
  fixed: (name: SettingName) => boolean,
): { settings: Settings; changed: string[]; left: string[] } {
  const all = changes(before, after)
  const left = all.filter(fixed)
  const kept = Object.fromEntries(left.map((name) => [name, before[name]]))
  return {
    settings: Object.freeze({ ...after, ...kept }) as Settings,
    changed: all.filter((name) => !fixed(name)).map(optionName),
    left: left.map(optionName),
  }
}
