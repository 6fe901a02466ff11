// The strongest source: the object that the constructor was given.

import { inspect } from 'node:util'
import { readInput } from './input.js'
import { bySetting } from './names.js'
import { quote } from './problem.js'
import { add, type Collected, collected, unknownName } from './source.js'

/** Collects the options of a constructor's argument. `undefined` is "not given". */
export function fromConstructor(options: object): Collected {
  const result = collected()
  for (const name of Object.keys(options)) {
    const value = (options as Record<string, unknown>)[name]
    const option = bySetting.get(name)
    if (option === undefined) result.problems.push(unknownSetting(name))
    else if (value !== undefined)
      add(result, option, { kind: 'constructor', name }, readInput(option, value), shown(value))
  }
  return result
}

const unknownSetting = (name: string) =>
  unknownName('constructor', `no option ${quote(name)}`, name, bySetting.keys())

const shown = (value: unknown): string =>
  typeof value === 'string' ? value : inspect(value, { depth: 1, breakLength: Infinity })
