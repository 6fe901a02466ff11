// Puts the sources together, weakest first, checks what only the whole can show, and reports every problem at once.

import { type ChainResult, readChain, SYSTEM_FILE } from '../config/chain.js'
import { type Identity, identity, ROOT } from '../config/identity.js'
import { checks } from './checks.js'
import type { CommandLine } from './commandline.js'
import { fromConstructor } from './constructor.js'
import { type Effective, strongest } from './effective.js'
import { fromEnvironment } from './environment.js'
import { camelCase } from './names.js'
import { OptionsError } from './problem.js'
import type { GaidarosOptions, SettingName, Settings } from './settings.js'
import { type Assignment, type Collected, collected, type Origin, originText } from './source.js'
import type { OptionName } from './table.js'
import type { Place } from './value.js'

/** Where options come from. An absent source contributes nothing. */
export interface Sources {
  /** The system's configuration file, which may not exist. By default SYSTEM_FILE where there is a command line, else none. */
  readonly systemFile?: string | false | undefined
  /** Usually process.env. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** Where relative paths of the environment begin; absent: they stay relative. */
  readonly place?: Place | undefined
  /** What parseCommandLine() returned. */
  readonly commandLine?: CommandLine | undefined
  /** The constructor's argument. */
  readonly options?: GaidarosOptions | undefined
  /** Who runs the process, where it is not to be asked. */
  readonly who?: Identity | undefined
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

/**
 * Resolves all options: built-in < files < environment < command line < constructor.
 * @returns frozen settings with the origin of each value.
 * @throws OptionsError (ERR_GAIDAROS_OPTION, ERR_GAIDAROS_CONFIG) with every problem of every source.
 * @example
 * resolve({ options: { port: 7000, idleTimeout: '5m' } }).settings.idleTimeout // 300000
 */
export function resolve(sources: Sources): Resolved {
  const who = sources.who ?? identity()
  const { systemFile = sources.commandLine && SYSTEM_FILE } = sources
  const given: Collected[] = [
    fromEnvironment(sources.environment ?? {}, sources.place),
    sources.commandLine ?? collected(),
    fromConstructor(sources.options ?? {}),
  ]
  const files = readFiles(systemFile || undefined, given, who)
  const parts = [files, ...given]
  const effective = strongest(parts.flatMap((part) => part.assignments))
  const problems = [
    ...parts.flatMap((part) => part.problems),
    ...checks(effective, who.euid === ROOT),
  ]
  if (problems.length > 0) throw new OptionsError(problems)
  return { ...freeze(imply(effective)), notes: files.notes, files: files.files }
}

/** The files, which the other sources choose. */
function readFiles(
  systemFile: string | undefined,
  given: readonly Collected[],
  who: Identity,
): ChainResult {
  const chosen = strongest(given.flatMap((part) => part.assignments))
  const config = chosen.get('config')
  const none = chosen.get('no_config')?.value === true
  return readChain({
    systemFile: none ? undefined : systemFile,
    given: (config?.value ?? []) as readonly string[],
    givenBy: originText(config?.origin ?? { kind: 'default' }),
    follow: !none,
    who,
  })
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
