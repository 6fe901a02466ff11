// What a server may be told in its user's own program, and what of its settings is another process's.

import type { Limits } from '../engine/engine.js'
import { misuse } from '../errors.js'
import { type Resolved, resolve } from '../options/index.js'
import type { GaidarosOptions, SettingName, Settings } from '../options/settings.js'
import { optionName } from './changes.js'

/** Options of a server in its user's own program, whose process is not this library's to detach or to number. */
export function ownSettings(options: GaidarosOptions): Resolved {
  const resolution = resolve({ options })
  const { settings } = resolution
  for (const name of ['daemon', 'pidFile'] as const)
    if (settings[name])
      throw misuse(
        'ERR_GAIDAROS_OPTION',
        `constructor, ${name}: only the gaidaros command does that; wanted none here`,
      )
  if (options.umask !== undefined) process.umask(settings.umask)
  return resolution
}

/** Whether server processes serve. */
export const isPool = ({ serverType }: Settings): boolean => serverType !== ''

/** What of the logs this process opens: requests are written down by the processes that serve them. */
export const ownLogs = (settings: Settings): Settings =>
  isPool(settings) ? { ...settings, accessLog: '' } : settings

/** @throws TypeError ERR_GAIDAROS_OPTION: a function cannot go to another process */
export function checkFunctions(settings: Settings): void {
  const functions = (Object.keys(settings) as SettingName[]).filter(
    (name) => typeof settings[name] === 'function',
  )
  if (functions.length === 0) return
  throw misuse(
    'ERR_GAIDAROS_OPTION',
    functions
      .map(
        (name) =>
          `${optionName(name)}: a function cannot go to the processes of server_type ${settings.serverType}; wanted handler_module, the file that exports it`,
      )
      .join('\n'),
  )
}

/** @throws TypeError ERR_GAIDAROS_OPTION: no limit of ours, or no value for one */
export function checkLimits(given: object, known: Limits): void {
  for (const [name, value] of Object.entries(given)) {
    if (!(name in known))
      throw misuse(
        'ERR_GAIDAROS_OPTION',
        `setLimits: no limit ${name}; wanted one of ${Object.keys(known).join(', ')}`,
      )
    if (!Number.isSafeInteger(value) || value < 0)
      throw misuse(
        'ERR_GAIDAROS_OPTION',
        `setLimits: ${name} is ${String(value)}; wanted a whole number from 0 on`,
      )
  }
}
