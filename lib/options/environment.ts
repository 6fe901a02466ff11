// Options from the environment: GAIDAROS_UPPER_CASE.

import { byVariable } from './names.js'
import { quote } from './problem.js'
import { addText, type Collected, collected, unknownName } from './source.js'
import type { Place } from './value.js'

/** Variables of the build, the addon's loader and the tests, which are no options. */
const foreign = /^GAIDAROS_(NATIVE|BUILD|SANITIZE|WERROR|CI|TEST_.*|BENCH_.*)$/

/** Collects the options of an environment; variables that are empty count, those without the prefix do not. */
export function fromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  place: Place = {},
): Collected {
  const result = collected()
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('GAIDAROS_') || text === undefined || foreign.test(variable)) continue
    const option = byVariable.get(variable)
    if (option === undefined) result.problems.push(unknownVariable(variable))
    else addText(result, option, { kind: 'environment', variable }, text, place)
  }
  return result
}

const unknownVariable = (variable: string) =>
  unknownName('environment', `no option ${quote(variable)}`, variable, byVariable.keys())
