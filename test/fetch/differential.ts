// Small programs that are run on Node's classes and on ours: the same comes out, or an error of the same class.

import { inspect } from 'node:util'
import t from 'tap'
import { LightHeaders, LightRequest, LightResponse } from '../../lib/fetch/index.js'

export interface Classes {
  Headers: typeof Headers
  Request: typeof Request
  Response: typeof Response
}

/** Under names of their own: nothing is installed here. */
export const node: Classes = { Headers, Request, Response }
export const light = {
  Headers: LightHeaders,
  Request: LightRequest,
  Response: LightResponse,
} as unknown as Classes

type Program = (classes: Classes) => unknown

export async function outcome(program: Program, classes: Classes): Promise<string> {
  try {
    return inspect(await program(classes), { depth: 9, breakLength: 120 })
  } catch (error) {
    return `throws ${error instanceof Error ? error.name : inspect(error)}`
  }
}

/** Node is right about these. */
export async function same(name: string, program: Program): Promise<void> {
  t.equal(await outcome(program, light), await outcome(program, node), name)
}

/** Node, or a version of it, is not: what the standard says. */
export async function standard(name: string, program: Program, wanted: unknown): Promise<void> {
  const expected = typeof wanted === 'function' ? `throws ${wanted.name}` : inspect(wanted)
  t.equal(await outcome(program, light), expected, name)
}

/** What can be passed for anything. */
export const VALUES: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -1,
  1.5,
  Number.NaN,
  7n,
  '',
  'text',
  'a b',
  'é',
  '€',
  '\ud800',
  '\r\nx: y',
  '\0',
  '\x01\x7f',
  ' \t around \r\n',
  Symbol('s'),
  {},
  [],
  ['a', 'b'],
  [['a', 'b']],
  { a: 'b' },
  () => 1,
  new Date(0),
  /x/,
  new URL('http://example.com/'),
  {
    toString() {
      return 'made'
    },
  },
  {
    toString() {
      throw new RangeError('no')
    },
  },
]
