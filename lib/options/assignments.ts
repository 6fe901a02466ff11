// Questions about effective values, and what is said of one, for the rules that check them.

import { isDeepStrictEqual } from 'node:util'
import { defaultValue } from './defaults.js'
import type { Effective } from './effective.js'
import type { Problem } from './problem.js'
import { type Assignment, valueProblem } from './source.js'
import type { OptionName } from './table.js'
import { writeValue } from './write.js'

export const current = (effective: Effective, name: OptionName): unknown =>
  effective.get(name)?.value

export const isDefault = ({ option, value }: Assignment): boolean =>
  isDeepStrictEqual(value, defaultValue(option))

/** A problem with the value that an assignment gave. */
export const about = (assignment: Assignment, message: string): Problem =>
  valueProblem(
    assignment.option,
    assignment.origin,
    message,
    writeValue(assignment.option, assignment.value) ?? 'a function',
  )
